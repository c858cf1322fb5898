"""Budgets and credits from outside: under load over several gateways, and through kill -9 of everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from tests.acceptance.aftermath import fsck, settled
from tests.acceptance.callers import calling
from tests.acceptance.kills import begin, chance, kill_gateway, kill_postgres, kill_worker, until_it_answers
from tests.serving import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.acceptance.conftest import Process

NANO = 10**9
AT_ONCE = 60
RUNS = 300
SHORT = {
    "model": "sandbox-mid",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Name a colour."}],
}
BALANCES = "SELECT name, sum(balance_nano)::bigint AS nano FROM ledger_account GROUP BY name"
BY_ENTRY = """
    SELECT name, sum(nano)::bigint AS nano FROM (
        SELECT source AS name, -amount_nano AS nano FROM ledger_entry
        UNION ALL SELECT target, amount_nano FROM ledger_entry
    ) moved GROUP BY name
"""
USED = "SELECT coalesce(sum(cost_nano), 0)::bigint FROM usage"
WINDOW = "SELECT spent_nano, held_nano, unknown_nano FROM budget_window"


async def books(url: str) -> dict[str, int]:
    """The balances, which must be what the entries say, add up to nothing and agree with what runs cost."""
    connection = await asyncpg.connect(url)
    try:
        kept = {row["name"]: row["nano"] for row in await connection.fetch(BALANCES)}
        entered = {row["name"]: row["nano"] for row in await connection.fetch(BY_ENTRY)}
        used = await connection.fetchval(USED)
    finally:
        await connection.close()
    assert {name: nano for name, nano in kept.items() if nano} == {n: nano for n, nano in entered.items() if nano}
    assert sum(kept.values()) == 0
    assert kept.get("held", 0) == 0
    assert kept.get("credits", 0) >= 0
    assert kept.get("spent", 0) == used
    return kept


async def test_hundreds_of_runs_at_once_over_two_gateways_never_pass_a_hard_budget(
    serve: Callable[..., Process], database_url: str
) -> None:
    shared = {"PRYSM_DATABASE_URL": database_url, "PRYSM_ENCRYPTION_KEY": "one key for both of them"}
    gateways = [serve(toml=SANDBOX, PRYSM_DATA_DIR=name, **shared).wait_ready() for name in ("one", "two")]
    made = gateways[0].post("/v1/keys", {"name": "a team", "role": "member", "budget_usd": 0.004})
    told = await _ask(gateways, {"authorization": f"Bearer {made.json()['key']}"})
    assert set(told) == {"200 ok", "402 budget_exceeded"}
    assert min(told.values()) > 10
    connection = await asyncpg.connect(database_url)
    [(spent, held, unknown)] = await connection.fetch(WINDOW)
    await connection.close()
    assert 0 < spent <= 0.004 * NANO
    assert (held, unknown) == (0, 0)
    assert (await books(database_url))["spent"] == spent
    usage = gateways[1].get("/v1/usage").json()
    assert usage["total_requests"] == told["200 ok"]
    assert usage["total_cost_usd"] == pytest.approx(spent / NANO, abs=1e-12)


async def test_credits_run_out_and_no_further(serve: Callable[..., Process], tmp_path: Path) -> None:
    gateway = serve(toml=SANDBOX).wait_ready()
    key = prepaid(gateway, usd=0.004)
    told = await _ask([gateway], key)
    assert set(told) == {"200 ok", "402 insufficient_credits"}
    kept = await books((tmp_path / ".prysm" / "postgres.url").read_text())
    assert kept["credits"] == 0.004 * NANO - kept["spent"]
    assert kept.get("open", 0) == 0


async def test_kills_lose_no_entry_and_leave_nothing_held(serve: Callable[..., Process], tmp_path: Path) -> None:
    await _survives(serve, tmp_path, [kill_postgres, kill_gateway, kill_gateway])


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_thirty_kills_lose_no_entry_and_leave_nothing_held(
    serve: Callable[..., Process], tmp_path: Path
) -> None:
    await _survives(serve, tmp_path, chance.choices([kill_gateway, kill_worker, kill_postgres], k=30))


async def _survives(
    serve: Callable[..., Process], folder: Path, kills: Sequence[Callable[[Process], None]]
) -> None:
    gateway = await asyncio.to_thread(begin, serve, 2, None)
    key = prepaid(gateway, usd=1000)
    async with calling([gateway], headers=key) as heard:
        for kill in kills:
            await asyncio.sleep(chance.uniform(0.3, 1.0))
            kill(gateway)
            if gateway.popen.poll() is not None:
                gateway = await asyncio.to_thread(begin, serve, 2, gateway)
            await asyncio.to_thread(until_it_answers, gateway)
        await asyncio.sleep(0.5)
    url = (folder / ".prysm" / "postgres.url").read_text()
    await settled(url)
    kept = await books(url)
    assert kept["credits"] == 1000 * NANO - kept["spent"]
    assert kept["spent"] > 0
    assert heard.answers
    usage = gateway.get("/v1/usage").json()
    assert usage["total_requests"] >= len(heard.answers)
    fsck(folder)


def prepaid(gateway: Process, usd: float) -> dict[str, str]:
    """The headers of a key whose organisation has that much credit, and pays with nothing else."""
    made = gateway.post("/v1/organisations", {"name": "acme", "prepaid": True})
    assert made.is_success, made.text
    topped = gateway.post("/v1/credits", {"organisation": made.json()["id"], "amount_usd": usd, "kind": "topup"})
    assert topped.is_success, topped.text
    key = gateway.post("/v1/keys", {"name": "prepaid", "role": "member", "organisation": "acme"})
    assert key.is_success, key.text
    return {"authorization": f"Bearer {key.json()['key']}"}


async def _ask(gateways: Sequence[Process], key: Mapping[str, str]) -> Counter[str]:
    """What `RUNS` requests get, many at once, over all gateways in turn."""
    told: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(headers=dict(key), timeout=60, trust_env=False, limits=limits) as http:

        async def one(i: int) -> None:
            url = gateways[i % len(gateways)].url + "/v1/chat/completions"
            answer: Any = await http.post(url, json=SHORT)
            told[f"{answer.status_code} {answer.json().get('error', {'code': 'ok'})['code']}"] += 1

        await asyncio.gather(*map(one, range(RUNS)))
    return told
