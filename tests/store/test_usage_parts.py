"""Usage by what was called: whatever a run called, its groups add up to what was settled, to the nano-dollar."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.till import Run, Till, organisation, payer

from prysm.store.ledger import ledger_defects
from prysm.store.usage import Scope, Sums, UsageStore

if TYPE_CHECKING:
    from collections.abc import Sequence

PROVIDERS = {"a": "p", "b": "p", "c": "q"}
SPENT = "SELECT coalesce(sum(balance_nano), 0)::bigint FROM ledger_account WHERE org = $1 AND name = 'spent'"


@dataclass
class Called(Run):
    """A run that called these: model, tokens in and out, cost; None is unknown. The first answered, if any did."""

    calls: list[tuple[str, int, int, int | None]] = field(default_factory=list)
    answered: bool = True

    @property
    def charge(self) -> dict[str, Any]:
        """What it used; parts where the row of the run does not say it all."""
        costs = [cost for *_, cost in self.calls if cost is not None]
        model = self.calls[0][0] if self.calls and self.answered else None
        used = {
            "model": model,
            "provider": PROVIDERS.get(model or ""),
            "tokens_in": sum(read for _, read, *_ in self.calls),
            "tokens_out": sum(written for _, _, written, _ in self.calls),
            "cost": sum(costs) if len(costs) == len(self.calls) else None,
        }
        parts = [_part(name, [call for call in self.calls if call[0] == name]) for name in sorted(self.names)]
        return super().charge | used | ({} if self.names <= {model or ""} else {"parts": parts})

    @property
    def names(self) -> set[str]:
        """Of the models that were called."""
        return {name for name, *_ in self.calls}


def _part(name: str, calls: Sequence[tuple[str, int, int, int | None]]) -> dict[str, Any]:
    costs = [cost for *_, cost in calls if cost is not None]
    return {
        "model": name,
        "provider": PROVIDERS[name],
        "calls": len(calls),
        "tokens_in": sum(call[1] for call in calls),
        "tokens_out": sum(call[2] for call in calls),
        "cost": sum(costs) if len(costs) == len(calls) else None,
    }


Calls = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.integers(0, 99), st.integers(0, 99), st.integers(0, 10**15) | st.just(None)
    ),
    max_size=5,
)
Runs = st.lists(
    st.builds(Called, st.just({}), calls=Calls, answered=st.booleans(), charged=st.booleans()), max_size=6
)


@given(Runs)
@settings(max_examples=40)
def test_groups_by_model_and_by_provider_add_up_to_what_was_settled(postgres_url: str, runs: list[Called]) -> None:
    async def checked() -> None:
        till = await Till.open(postgres_url)
        org = await organisation(till.connection, 10**9)
        for run in runs:
            run.payer = payer(org, 1, prepaid=True)
            await till.admit([run])
        await till.settle(runs)
        pool = await asyncpg.create_pool(postgres_url, min_size=0, max_size=1)
        store, scope = UsageStore(pool), Scope(org)
        found = await store.summary(scope)
        groups = await store.groups("model", scope, 100)
        spent = await till.connection.fetchval(SPENT, org)
        assert [defect for defect in await ledger_defects(till.connection) if str(org) in defect] == []
        await pool.close()
        await till.connection.close()

        assert (found.total.cost_nano or 0) == spent
        assert groups == found.models
        for named, name_of in ((found.models, {name: name for name in PROVIDERS}), (found.providers, PROVIDERS)):
            _add_up(named, found.total)
            called = [{name_of[name] for name in run.names} if run.charged else set() for run in runs]
            told = Tally(name for names in called for name in names or (None,))
            assert {one.name: one.requests for one in named} == told

    asyncio.run(checked())


def _add_up(groups: list[Sums], total: Sums) -> None:
    for figure in ("tokens_in", "tokens_out", "cost_nano"):
        known = [value for group in groups if (value := getattr(group, figure)) is not None]
        assert sum(known) == (getattr(total, figure) or 0)
    assert all(group.unknown_cost_requests <= total.unknown_cost_requests for group in groups)
    assert sum(group.unknown_cost_requests for group in groups) >= total.unknown_cost_requests


async def test_of_a_run_whose_cost_is_not_known_no_part_is_counted_since_none_was_settled(
    database_url: str,
) -> None:
    till = await Till.open(database_url)
    org = await organisation(till.connection)
    run = Called(payer(org), calls=[("a", 1, 1, 5), ("c", 2, 2, None)])
    await till.settle([run])
    pool = await asyncpg.create_pool(database_url, min_size=0)
    found = await UsageStore(pool).summary(Scope(org))
    assert sorted(found.models, key=lambda one: one.name or "") == [
        Sums("a", 1, 1, 1, None, 1),
        Sums("c", 1, 2, 2, None, 1),
    ]
    kept = await till.connection.fetchval("SELECT parts -> 0 ->> 'cost' FROM usage WHERE request_id = $1", run.id)
    assert kept == "5"
    await pool.close()
    await till.connection.close()
