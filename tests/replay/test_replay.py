"""Recorded answers through the real planner, strategies and scoring."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.replay.conftest import POOL, answer, row
from typer.testing import CliRunner

from prysm.cli import app
from prysm.core.plan import Policy
from prysm.errors import InvalidRequest, NotFound
from prysm.replay import Settings, Trial, read, read_prices, replay
from prysm.replay.pool import catalog, family, tier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLICIES = {"balanced": Policy("balanced", 0.72, 2)}
AGREE, DIFFER, ALL_WRONG = ("4", "4", "5"), ("4", "3", "4"), ("1", "1", "1")


def report(data: Path, prices: Path, *strategies: str, **more: Any) -> dict[str, Any]:
    trial = Trial(data.name, read(data), POOL, read_prices(prices), POLICIES, strategies, Settings(**more))
    return replay(trial)


def test_a_cascade_is_graded_and_priced_by_the_answers_it_used(record: Callable[..., Path], prices: Path) -> None:
    found = report(record(*(row(i, AGREE) for i in range(4)), row(4, ALL_WRONG)), prices, "cascade")
    figures = found["strategies"]["cascade"]
    assert (figures["rows"], figures["accuracy"], figures["escalation_rate"]) == (5, 0.8, 0.0)
    assert figures["cost_usd"] < found["baselines"]["each_model"][POOL[2]]["cost_usd"]
    assert figures["vs_strongest"]["accuracy_diff"] == 0.8


def test_agree2_takes_the_strong_answer_where_two_cheap_ones_differ(
    record: Callable[..., Path], prices: Path
) -> None:
    found = report(record(row(0, AGREE), row(1, DIFFER), row(2, ("3", "2", "4"))), prices, "single")["baselines"]
    assert (found["agree2"]["accuracy"], found["agree2"]["escalation_rate"]) == (1.0, 0.6667)
    assert found["oracle"]["accuracy"] == 1.0
    assert found["oracle"]["cost_usd"] < found["agree2"]["cost_usd"]
    assert found["majority3"] is None
    assert found["best_single"]["model"] in {POOL[0], POOL[2]}


def test_what_nobody_recorded_is_counted_and_not_made_up(record: Callable[..., Path], prices: Path) -> None:
    found = report(record(row(0, AGREE), row(1, DIFFER)), prices, "self_consistency")
    figures = found["strategies"]["self_consistency"]
    assert (figures["rows"], figures["not_replayable"], figures["accuracy"]) == (0, 2, None)


def test_samples_of_one_model_are_served_in_order(record: Callable[..., Path], prices: Path) -> None:
    one = row(0, ("3", "3", "4"))
    one["answers"] += [answer | {"text": "Final answer: 4", "correct": True} for answer in one["answers"][:2]] * 2
    found = report(record(one), prices, "self_consistency", samples=3)
    assert found["strategies"]["self_consistency"]["accuracy"] == 1.0


def test_a_panel_is_named_as_a_request_names_it(record: Callable[..., Path], prices: Path) -> None:
    data = record(row(0, AGREE), row(1, AGREE), row(2, ("4", "3", "4")))
    found = report(data, prices, "debate", models=POOL[:2])
    figures = found["strategies"]["debate"]
    assert (figures["rows"], figures["calls_per_row"], figures["not_replayable"]) == (2, 2.0, 1)
    assert found["models"] == list(POOL[:2])


def test_rows_a_strategy_cannot_be_replayed_on_say_how_the_rules_fare_there(
    record: Callable[..., Path], prices: Path
) -> None:
    data = record(row(0, AGREE), row(1, ("3", "3", "4")), row(2, ("5", "3", "4")))
    rest = report(data, prices, "debate", models=POOL[:2])["strategies"]["debate"]["on_the_rest"]
    assert (rest["rows"], rest["strongest"], rest["agree2"], rest["oracle"], rest["vote"]) == (1, 1, 1, 1, 0)
    assert report(data, prices, "single")["strategies"]["single"]["on_the_rest"] is None


def test_a_model_that_is_named_must_be_in_the_pool(record: Callable[..., Path], prices: Path) -> None:
    with pytest.raises(NotFound, match="elsewhere"):
        report(record(row(0, AGREE)), prices, "debate", models=("elsewhere",))


def test_early_stopping_is_held_against_a_fixed_number_of_samples(
    record: Callable[..., Path], prices: Path
) -> None:
    one = row(0, ("3", "3", "4"))
    first, right = one["answers"][0], answer(POOL[0], "4", correct=True)
    one["answers"] += [right, right, first, right]
    votes = report(record(one, one), prices, "single")["baselines"]["votes"]
    assert votes[POOL[2]] == {}
    assert votes[POOL[0]].keys() == {"5"}
    assert (votes[POOL[0]]["5"]["accuracy"], votes[POOL[0]]["5"]["calls_per_row"]) == (1.0, 5)


def test_a_report_says_how_much_of_the_confidence_is_uncalibrated(
    record: Callable[..., Path], prices: Path
) -> None:
    unseen = row(0, AGREE, prompt="Write a short poem about the sea.")
    figures = report(record(unseen), prices, "single")["strategies"]["single"]
    assert figures["uncalibrated"] == 1.0


def test_the_code_under_test_never_sees_what_is_right(record: Callable[..., Path], prices: Path) -> None:
    def blind(one: dict[str, Any]) -> dict[str, Any]:
        answers = [answer | {"correct": not answer["correct"], "extracted": "?"} for answer in one["answers"]]
        return one | {"gold": "?", "category": "?", "answers": answers}

    rows = [row(0, AGREE), row(1, DIFFER), row(2, ALL_WRONG)]
    seen = report(record(*rows), prices, "cascade")["strategies"]["cascade"]
    unseen = report(record(*map(blind, rows)), prices, "cascade")["strategies"]["cascade"]
    for figure in ("cost_usd", "calls_per_row", "mean_confidence", "escalation_rate"):
        assert seen[figure] == unseen[figure]
    assert seen["accuracy"] == pytest.approx(1 - unseen["accuracy"], abs=1e-3)


def test_the_same_trial_gives_the_same_report(record: Callable[..., Path], prices: Path) -> None:
    data = record(*(row(i, (AGREE, DIFFER, ALL_WRONG)[i % 3]) for i in range(9)))
    assert json.dumps(report(data, prices, seed=7)) == json.dumps(report(data, prices, seed=7))


def test_an_answer_without_text_is_served_as_its_final_answer(record: Callable[..., Path], prices: Path) -> None:
    bare = row(0, AGREE)
    bare["answers"] = [answer | {"text": None} for answer in bare["answers"]]
    found = report(record(bare | {"prompt": None}), prices, "cascade")
    assert found["strategies"]["cascade"]["not_replayable"] == 0


def test_rows_with_a_suspect_gold_or_without_a_model_of_the_pool_are_left_out(
    record: Callable[..., Path], prices: Path
) -> None:
    data = record(row(0, AGREE), row(1, AGREE, gold_suspect=True), row(2, AGREE[:2]))
    assert report(data, prices, "single")["rows"] == 1


def test_an_unknown_count_of_tokens_leaves_baselines_without_a_cost(
    record: Callable[..., Path], prices: Path
) -> None:
    one = row(0, AGREE)
    one["answers"][0]["completion_tokens"] = None
    found = report(record(one), prices, "cascade")
    assert found["baselines"]["agree2"]["cost_usd"] is None


@pytest.mark.parametrize("line", ['{"id": 1}', "[]", "no json", '{"id": 1, "answers": [{"model": "m"}]}'])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("\n" + line, "utf-8")
    with pytest.raises(InvalidRequest, match="line 2"):
        read(path)


def test_a_gzipped_recording_reads_the_same_and_a_torn_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row(0, AGREE)).encode()))
    assert read(path)[0].id == "r0"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidRequest):
        read(path)


def test_the_pool_is_named_priced_and_listed_once(prices: Path) -> None:
    table = read_prices(prices)
    for pool in ([*POOL, "unpriced"], [], [POOL[0], POOL[0]]):
        with pytest.raises(InvalidRequest):
            catalog(pool, table)


def test_tiers_follow_the_order_and_families_the_vendor() -> None:
    assert [tier(at, 4) for at in range(4)] == ["small", "small", "mid", "strong"]
    assert [tier(at, 1) for at in range(1)] == ["strong"]
    names = ("Qwen2.5-7B-Instruct", "mistralai/Mixtral-8x7B", "gpt-4o-mini", "4ever")
    assert [family(name) for name in names] == ["qwen", "mistralai", "gpt", "4ever"]


def test_the_command_prints_a_table_writes_a_report_and_speaks_json(
    record: Callable[..., Path], prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.json"
    asked = [
        "replay",
        str(record(row(0, AGREE), row(1, DIFFER))),
        "--pool",
        ",".join(POOL),
        "--prices",
        str(prices),
    ]
    shown = CliRunner().invoke(app, [*asked, "--report", str(out)])
    assert shown.exit_code == 0
    assert "cascade" in shown.stdout
    assert "agree2" in shown.stdout
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert json.loads(told.stdout) == json.loads(out.read_text())
    assert {"data", "rows", "pool", "seed", "strategies", "baselines"} <= json.loads(told.stdout).keys()


def test_the_command_says_in_one_line_what_is_wrong(record: Callable[..., Path], prices: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(record(row(0, AGREE))), "--pool", "x,y", "--prices", str(prices)])
    assert done.exit_code == 2
    assert "no price for x, y" in done.stderr
