"""The catalog that ships: what it promises about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from prysm.config import Config, Settings, load_config
from prysm.core.model import TASKS, TIERS, Model
from prysm.registry.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

VENDORS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "xai": "XAI_API_KEY",
    "groq": "GROQ_API_KEY",
    "together": "TOGETHER_API_KEY",
}
BANDS = {"small": (0.58, 0.70), "mid": (0.60, 0.80), "strong": (0.84, 0.90)}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No prysm.toml in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def config() -> Config:
    return load_config(Settings(), {})


@pytest.fixture
def real(config: Config) -> list[Model]:
    return [model for model in config.models if model.provider in VENDORS and not model.embeds]


def test_every_vendor_has_three_to_five_models_over_two_tiers_or_more(real: list[Model]) -> None:
    for vendor in VENDORS:
        models = [model for model in real if model.provider == vendor]
        assert 3 <= len(models) <= 5, vendor
        assert len({model.tier for model in models}) >= 2, vendor


@pytest.mark.parametrize(("vendor", "variable"), VENDORS.items())
def test_a_vendor_is_live_once_its_key_is_in_the_environment(vendor: str, variable: str) -> None:
    config = load_config(Settings(), {variable: "k"})
    pool = Catalog(config.models, config.providers).pool()
    assert {model.provider for model in pool} == {vendor}


def test_every_model_of_a_vendor_has_an_input_and_an_output_price(real: list[Model]) -> None:
    assert [model.id for model in real if not (model.price.input and model.price.output)] == []


def test_stronger_tiers_have_better_priors(real: list[Model]) -> None:
    for model in real:
        low, high = BANDS[model.tier]
        assert all(low <= model.quality_for(task) <= high for task in TASKS), model.id


def test_the_pool_without_a_key_is_the_model_of_this_machine(config: Config) -> None:
    assert [model.id for model in Catalog(config.models, config.providers).pool()] == ["smollm2-135m"]


def test_the_local_model_costs_nothing_per_token_and_is_not_simulated(config: Config) -> None:
    local = Catalog(config.models, config.providers).get("smollm2-135m")
    assert (local.price.input, local.price.output, local.simulated) == (0, 0, False)
    assert (local.context_window, local.max_output_tokens) == (4096, 512)


def test_the_sandbox_models_are_simulated_and_each_its_own_family(config: Config) -> None:
    sandbox = {model.id: model for model in config.models if model.provider == "sandbox"}
    names = ("small", "mid", "strong", "code", "math", "embedding")
    assert set(sandbox) == {f"sandbox-{name}" for name in names}
    assert all(model.simulated for model in sandbox.values())
    assert len({model.family for model in sandbox.values()}) == len(sandbox)
    assert sandbox["sandbox-strong"].price.output == 15_000_000_000
    assert sandbox["sandbox-math"].quality_for("math") == 0.98


def test_the_same_weights_at_two_hosts_are_one_family(config: Config) -> None:
    families = {model.id: model.family for model in config.models}
    assert families["together/deepseek-v4-pro"] == families["deepseek-v4-pro"]
    assert families["groq/gpt-oss-120b"] == families["gpt-6.1-sol"]


def test_every_tier_is_one_we_know(config: Config) -> None:
    assert {model.tier for model in config.models} == set(TIERS)


def test_models_that_make_embeddings_do_nothing_else_and_are_priced_by_their_input(config: Config) -> None:
    embedders = [model for model in config.models if model.embeds]
    assert {model.provider for model in embedders} == {"openai", "google", "mistral", "sandbox"}
    for model in embedders:
        assert model.capabilities == {"embeddings"}
        assert model.price.input
        assert model.price.output == 0


def test_no_model_that_routing_may_pick_makes_embeddings() -> None:
    config = load_config(Settings(), dict.fromkeys(VENDORS.values(), "k"))
    catalog = Catalog(config.models, config.providers)
    assert not any(model.embeds for model in catalog.pool())
    assert [model.id for model in catalog.embedders()] == [
        "text-embedding-3-small",
        "text-embedding-3-large",
        "gemini-embedding-2",
        "mistral-embed",
    ]


def test_without_a_key_embeddings_are_simulated_and_chats_are_not(config: Config) -> None:
    catalog = Catalog(config.models, config.providers)
    assert [model.id for model in catalog.embedders()] == ["sandbox-embedding"]
    assert [model.id for model in catalog.pool()] == ["smollm2-135m"]


@pytest.mark.parametrize("vendor", ["anthropic", "google", "openai"])
def test_a_caller_who_asks_for_reasoning_finds_a_model_of_every_large_vendor(
    real: list[Model], vendor: str
) -> None:
    assert all("reasoning" in model.capabilities for model in real if model.provider == vendor)


def test_what_no_claude_takes_is_said(real: list[Model]) -> None:
    claude = [model for model in real if model.provider == "anthropic"]
    assert all({"fixed_sampling", "mid_system"} <= model.capabilities for model in claude)
