"""debate: answer, read the others, revise, vote over both rounds."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.scripted_models import FAILS, HANGS, SUM, World, ask, by_kind, kind_of, model, shown, verdict

from prysm.core.chat import Message
from prysm.planner.budget import ANSWER_HINT_AT_MOST, AROUND_CANDIDATES_AT_MOST
from prysm.registry.cost import tokens_at_most
from prysm.strategies.debate import revision

if TYPE_CHECKING:
    from tests.scripted_models import Reply, Say

    from prysm.core.chat import ModelCall
    from prysm.core.run import Stage, Verdict
    from prysm.strategies import Run

NONCE = "0123456789abcdef"


def final(number: int) -> str:
    return f"Final answer: {number}"


def debaters(first: dict[str, int], revise: Reply | Say | None = None, **more: Any) -> World:
    """Models with a first answer each; all keep it unless `revise` says otherwise."""
    answers = {name: final(number) for name, number in first.items()}
    kept = (lambda call: answers[call.model.id]) if revise is None else revise
    judge = more.pop("judge", "[[C]]")
    return World.told(by_kind(answers, revise=kept, judge=judge), *answers, *("j",) * ("j" not in answers), **more)


async def debated(on: World, *names: str, **more: Any) -> tuple[Verdict, Run]:
    return await on.perform(ask(SUM, strategy="debate", models=names or tuple("abc"), **more))


def last(run: Run) -> Stage:
    return next(stage for stage in reversed(run.stages) if stage.kind == "vote")


async def test_a_unanimous_first_round_ends_it_after_exactly_one_call_each() -> None:
    on = debaters({"a": 391, "b": 391, "c": 391})
    chosen, run = await debated(on, rounds=4)
    assert len(on.provider.calls) == 3
    assert (chosen.score.agreement, last(run).note) == (1, "unanimous from the start, no debate")


async def test_each_round_is_asked_at_once_and_shows_everyone_the_others_latest_answers() -> None:
    on = debaters({"a": 391, "b": 401, "c": 381}, latency_ms=20)
    await debated(on)
    revisions = [call for call in on.provider.calls if kind_of(call) == "revise"]
    assert (len(revisions), on.provider.most) == (3, 3)
    for call, own in zip(revisions, (391, 401, 381), strict=True):
        assert [turn.role for turn in call.messages] == ["user", "assistant", "user"]
        assert call.messages[1].content == final(own)
        assert sorted(shown(call)) == sorted(final(n) for n in (391, 401, 381) if n != own)


async def test_rounds_end_when_nobody_changes_their_mind() -> None:
    on = debaters({"a": 391, "b": 401, "c": 391})
    _, run = await debated(on, rounds=4)
    assert len(on.provider.calls) == 3 + 3
    assert last(run).note == "changed their mind: nobody"


async def test_rounds_end_when_all_agree() -> None:
    on = debaters({"a": 391, "b": 401, "c": 391}, final(391))
    await debated(on, rounds=4)
    assert len(on.provider.calls) == 3 + 3


async def test_rounds_end_when_they_are_spent() -> None:
    rounds = iter(range(1000, 2000))
    on = debaters({"a": 1, "b": 2, "c": 3}, lambda _: final(next(rounds)))
    await debated(on, rounds=3)
    assert len(on.provider.calls) == 3 * 3


async def test_a_lone_round_is_a_vote() -> None:
    on = debaters({"a": 391, "b": 401, "c": 391})
    chosen, _ = await debated(on, rounds=1)
    assert (chosen.candidate.text, len(on.provider.calls)) == (final(391), 3)


@pytest.mark.parametrize(("strong", "due"), [("a", 391), ("c", 401)])
async def test_first_and_last_round_vote_with_equal_weight(strong: str, due: int) -> None:
    """One of two is talked out of 391, which leaves 1 + ½ votes for each answer: the stronger model decides."""
    first, second = {"a": 391, "b": 391, "c": 401}, {"a": 391, "b": 401, "c": 401}
    say = by_kind({name: final(n) for name, n in first.items()}, revise=lambda call: final(second[call.model.id]))
    on = World.told(say, models=[model(name, 0.9 if name == strong else 0.7) for name in "abc"])
    chosen, run = await debated(on)
    assert (chosen.candidate.text, last(run).note) == (final(due), "changed their mind: b")


async def test_a_debate_that_wins_over_all_outvotes_the_first_round() -> None:
    chosen, run = await debated(debaters({"a": 391, "b": 391, "c": 401}, final(401)))  # 401: 1 + ½ + ½, 391: ½ + ½
    assert (chosen.candidate.text, last(run).note) == (final(401), "changed their mind: a, b")


@pytest.mark.parametrize("broken", [FAILS, HANGS])
async def test_a_revision_that_fails_keeps_the_answer_before_it_and_that_is_said(broken: Reply) -> None:
    def revise(call: ModelCall) -> Reply:
        return broken if call.model.id == "a" else final({"b": 401, "c": 381}[call.model.id])

    chosen, run = await debated(debaters({"a": 391, "b": 401, "c": 381}, revise))
    assert run.degraded == ["revision_failed"]
    assert last(run).note == "changed their mind: nobody"
    assert chosen.candidate.text in {final(391), final(401), final(381)}
    assert last(run).parents[:3] == (0, 1, 2)


async def test_who_failed_to_revise_is_asked_again_in_the_next_round() -> None:
    down = iter([FAILS])
    on = debaters(
        {"a": 391, "b": 401, "c": 381},
        lambda call: (
            next(down, final(391)) if call.model.id == "a" else final(381 if call.model.id == "b" else 401)
        ),
    )
    _, run = await debated(on, rounds=3)
    asked = [call.model.id for call in on.provider.calls[6:]]
    assert asked == ["a", "b", "c"]
    assert run.degraded == ["revision_failed"]


async def test_agreement_is_that_of_the_first_round_whatever_the_debate_did_to_it() -> None:
    chosen, _ = await debated(debaters({"a": 391, "b": 401, "c": 381}, final(391)))
    assert chosen.score.agreement == pytest.approx(1 / 3)
    assert len(chosen.score.clusters) == 3


async def test_a_consensus_that_was_talked_into_is_trusted_less() -> None:
    kept, _ = await debated(debaters({"a": 391, "b": 391, "c": 401}))
    moved, _ = await debated(debaters({"a": 391, "b": 401, "c": 381}, final(391)))
    assert (moved.score.confidence or 1) < (kept.score.confidence or 0)


TIE = {"a": 391, "b": 401}
UNEVEN = [model("a", 0.7), model("b", 0.8), model("j", 0.5)]


def tied(judge: Reply | Say) -> World:
    answers = {name: final(number) for name, number in TIE.items()}
    return World.told(by_kind(answers, revise=lambda call: answers[call.model.id], judge=judge), models=UNEVEN)


async def test_a_tie_goes_to_the_stronger_model() -> None:
    on = tied("[[A]]")
    chosen, _ = await debated(on, "a", "b")
    assert chosen.candidate.model.id == "b"
    assert "judge" not in map(kind_of, on.provider.calls)


@pytest.mark.parametrize(("good", "due"), [("391", "a"), ("401", "b")])
async def test_a_tie_goes_to_the_judge_where_the_caller_named_one(good: str, due: str) -> None:
    on = tied(lambda call: verdict(call, good))
    chosen, run = await debated(on, "a", "b", judge="j")
    assert chosen.candidate.model.id == due
    assert [call.model.id for call in on.provider.calls if kind_of(call) == "judge"] == ["j", "j"]
    assert run.degraded == []


async def test_an_answer_that_a_judge_chose_of_a_tie_is_scored_by_its_own_side() -> None:
    """The vote's winner is the stronger model's; with the weaker one's answer its confidence is lower."""
    scores = {}
    for good in ("391", "401"):
        chosen, _ = await debated(tied(partial(verdict, good=good)), "a", "b", judge="j")
        scores[chosen.candidate.model.id] = chosen.score.confidence or 0
        assert chosen.score.agreement == 0.5
    assert 0 < scores["a"] < scores["b"]


@pytest.mark.parametrize(("broken", "said"), [("[[A]]", []), ("Hm.", ["judge_failed"]), (FAILS, ["judge_failed"])])
async def test_a_judge_that_cannot_decide_leaves_it_to_the_stronger_model(broken: Reply, said: list[str]) -> None:
    chosen, run = await debated(tied(broken), "a", "b", judge="j")
    assert (chosen.candidate.model.id, run.degraded) == ("b", said)


async def test_a_judge_is_not_asked_without_a_tie() -> None:
    on = debaters({"a": 391, "b": 391, "c": 401}, judge="[[B]]")
    await debated(on, judge="j")
    assert "judge" not in map(kind_of, on.provider.calls)


async def test_one_debater_left_answers_alone() -> None:
    on = World.told(by_kind({"a": FAILS, "b": final(391), "c": FAILS}), *"abc")
    chosen, run = await debated(on)
    assert (chosen.candidate.text, chosen.score.agreement) == (final(391), None)
    assert run.degraded == ["partial:1 of 3 proposals"]


@pytest.mark.parametrize("consensus", [None, "majority", "weighted_confidence", "expert"])
async def test_a_rule_of_consensus_leaves_both_rounds_their_weight(consensus: str | None) -> None:
    """One debater's revision fails, so its answer stands in both rounds; the other says the same again: a tie."""
    answers = {"a": final(33), "b": final(34)}
    say = by_kind(dict(answers), revise=lambda call: FAILS if call.model.id == "a" else final(34))
    on = World.told(say, models=[model("a", 0.86), model("b", 0.859)])
    chosen, run = await debated(on, "a", "b", consensus=consensus)
    assert (chosen.candidate.text, "no_consensus" in run.degraded) == (final(33), consensus is not None)


async def test_one_debater_left_is_no_consensus() -> None:
    on = World.told(by_kind({"a": FAILS, "b": final(391)}), *"ab")
    _, run = await debated(on, "a", "b", consensus_threshold=0.9)
    assert run.degraded == ["partial:1 of 2 proposals", "no_consensus"]


async def test_what_a_debater_reads_is_shuffled_by_the_seed_and_the_trace_keeps_the_order() -> None:
    numbers = {name: 100 + i for i, name in enumerate("abcde")}

    async def orders(seed: int) -> list[str | None]:
        on = debaters(numbers)
        _, run = await debated(on, *numbers, seed=seed)
        revised = [stage for stage in run.stages if stage.kind == "revise"]
        calls = [call for call in on.provider.calls if kind_of(call) == "revise"]
        for call, stage in zip(calls, revised, strict=True):
            order = [int(i) for i in (stage.note or "").removeprefix("order ").split(",")]
            read = [final(100 + i) for i in order if "abcde"[i] != call.model.id]
            assert shown(call) == read
            assert stage.parents == tuple(order)
        return [stage.note for stage in revised]

    first = await orders(1)
    assert first == await orders(1)
    assert first != await orders(2)
    assert len(set(first)) > 1


async def test_flips_are_disclosed_without_a_word_of_what_was_said() -> None:
    _, run = await debated(debaters({"a": 391, "b": 401, "c": 381}, final(391)))
    assert not re.search(r"\d", last(run).note or "")


def test_three_debate_for_two_rounds_unless_the_caller_says_otherwise() -> None:
    pool = World(dict.fromkeys("abcd", FAILS))
    asked: list[tuple[int | None, int | None]] = [(None, None), (4, 3), (1, None)]
    plans = [pool.plan(ask(strategy="debate", k=k, rounds=rounds)) for k, rounds in asked]
    assert [(len(plan.models), plan.rounds) for plan in plans] == [(3, 2), (4, 3), (2, 2)]


def test_the_words_of_a_revision_stay_within_what_the_planner_reserves() -> None:
    added = tokens_at_most([Message("assistant", ""), Message("user", revision([""] * 7, NONCE))])
    assert 0 < added + ANSWER_HINT_AT_MOST <= AROUND_CANDIDATES_AT_MOST
