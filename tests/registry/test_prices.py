from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import genai_prices
import pytest
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from prysm.core.chat import Usage as Tokens
from prysm.core.model import NANO_PER_USD, Price
from prysm.registry.prices import nano_usd, resolve

if TYPE_CHECKING:
    from genai_prices.types import Provider

DAY = date(2026, 11, 20)
OPENAI = "https://api.openai.com/v1"


def test_a_listed_model_is_priced_by_its_host_and_name() -> None:
    price = resolve(OPENAI, "gpt-5.2", Price(), DAY)
    assert price == Price(input=1_750_000_000, output=14_000_000_000, cached_input=175_000_000)


def test_the_same_weights_cost_what_their_host_asks() -> None:
    groq = resolve("https://api.groq.com/openai/v1", "openai/gpt-oss-20b", Price(), DAY)
    openai = resolve(OPENAI, "gpt-oss-20b", Price(), DAY)
    assert groq.input != openai.input


def test_an_unknown_name_or_host_has_no_price_rather_than_a_price_of_zero() -> None:
    assert resolve(OPENAI, "no-such-model", Price(), DAY) == Price()
    assert resolve("http://127.0.0.1:11434/v1", "gpt-5.2", Price(), DAY) == Price()


def test_a_rate_the_catalog_states_stands_and_the_table_fills_the_others() -> None:
    price = resolve(OPENAI, "gpt-5.2", Price(cached_input=0), DAY)
    assert (price.cached_input, price.output) == (0, 14_000_000_000)


def test_a_catalog_that_states_input_and_output_states_the_whole_price() -> None:
    assert resolve(OPENAI, "gpt-5.2", Price(input=1, output=2), DAY) == Price(input=1, output=2)


def test_a_price_that_rises_with_the_prompt_is_taken_at_its_base() -> None:
    assert resolve("https://api.x.ai/v1", "grok-4.7", Price(), DAY).input == 2_000_000_000


def test_a_price_that_changes_during_the_day_is_taken_at_its_dearest_hour() -> None:
    price = resolve("https://api.deepseek.com", "deepseek-v4-pro", Price(), DAY)
    assert (price.input, price.output) == (1_320_000_000, 3_960_000_000)


def test_a_price_announced_for_a_later_day_holds_from_that_day() -> None:
    host = "https://generativelanguage.googleapis.com/v1beta"
    before, after = (resolve(host, "gemini-4-argon", Price(), day) for day in (DAY, date(2026, 12, 1)))
    assert (before.input, after.input) == (2_000_000_000, 4_000_000_000)


@pytest.mark.parametrize("name", ["gpt-5.2", "gpt-5-mini", "gpt-6.1-terra"])
@given(prompt=st.integers(1000, 100_000), cached=st.integers(0, 1000), answer=st.integers(0, 100_000))
def test_a_call_costs_what_the_price_package_itself_says(name: str, prompt: int, cached: int, answer: int) -> None:
    ours = resolve(OPENAI, name, Price(), DAY).cost(Tokens(prompt, answer, cached_tokens=cached))
    usage = Usage(input_tokens=prompt, output_tokens=answer, cache_read_tokens=cached)
    noon = datetime.fromisoformat("2026-11-20T12:00:00Z")
    theirs = genai_prices.calc_price(usage, name, provider_id="openai", genai_request_timestamp=noon)
    assert ours is not None
    assert abs(ours - theirs.total_price * NANO_PER_USD) <= 2


@given(st.decimals(0, 1_000_000, places=9))
def test_dollars_become_nano_dollars_exactly(usd: Decimal) -> None:
    assert Decimal(nano_usd(usd)) / NANO_PER_USD == usd


HOSTS = {"anthropic", "deepseek", "groq", "mistral", "openai", "together", "x-ai"}
LISTS = [provider for provider in get_snapshot().providers if provider.id in HOSTS]


@pytest.mark.parametrize("provider", LISTS, ids=lambda provider: provider.id)
def test_every_price_of_the_package_can_be_read_and_none_is_negative(provider: Provider) -> None:
    host = provider.api_pattern.replace("\\", "")
    prices = [resolve(host, info.id, Price(), DAY) for info in provider.models]
    assert any(price.input for price in prices)
    assert all(rate is None or rate >= 0 for price in prices for rate in astuple(price))


def test_the_price_package_is_not_loaded_for_models_that_state_their_price() -> None:
    code = (
        "import sys; from datetime import date; from prysm.core.model import Price; "
        "from prysm.registry.prices import resolve; "
        "resolve('', 'm', Price(), date(2026, 11, 20)); "
        "resolve('https://api.openai.com', 'm', Price(1, 2), date(2026, 11, 20)); "
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own text
