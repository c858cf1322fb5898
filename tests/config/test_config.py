from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prysm.config import Config, Settings, load_config, zero_key
from prysm.core.model import TASKS, TIERS
from prysm.core.plan import Policy
from prysm.errors import ConfigError

Load = Callable[..., Config]
ACME = '[[providers]]\nid = "acme"\nkind = "openai"\nbase_url = "https://llm.acme.example/v1"\n'
MODEL = '[[models]]\nid = "m"\nprovider = "acme"\ntier = "mid"\n'
EXAMPLE = Path(__file__).parents[2] / "prysm.toml.example"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def _load(toml: str | bytes, **environ: str) -> Config:
        path = tmp_path / "prysm.toml"
        path.write_bytes(toml.encode() if isinstance(toml, str) else toml)
        return load_config(Settings(config_path=path), environ)

    return _load


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids(config: Config) -> set[str]:
    return {model.id for model in config.models}


# Where it is read from


def test_without_a_file_the_builtin_catalog_serves(nowhere: Path) -> None:
    config = load_config(Settings(), {})
    assert config.builtin
    assert {"gpt-6.1-sol", "sandbox-mid"} <= ids(config), nowhere


def test_a_file_in_the_working_directory_is_found(nowhere: Path) -> None:
    (nowhere / "prysm.toml").write_text("[server]\ndocs = false\n")
    config = load_config(Settings(), {})
    assert not config.builtin
    assert not config.server.docs


def test_the_named_file_wins_over_the_one_in_the_working_directory(nowhere: Path) -> None:
    (nowhere / "prysm.toml").write_text("broken")
    (nowhere / "other.toml").write_text("[server]\nmetrics = false\n")
    assert not load_config(Settings(config_path=nowhere / "other.toml"), {}).server.metrics


def test_a_file_that_is_not_there_says_what_named_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file.*PRYSM_CONFIG"):
        load_config(Settings(config_path=tmp_path / "none.toml"), {})


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PRYSM_CONFIG"):
        load_config(Settings(config_path=tmp_path), {})


def test_what_is_nested_too_deep_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"prysm\.toml: .*too deep"):
        load("a = " + "[" * 3000)


def test_a_syntax_error_names_the_line(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"prysm\.toml: not TOML: .*line 3"):
        load('[server]\ndocs = true\nmetrics = "\n')


def test_a_file_that_is_not_utf8_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(b'extends = "\xff"')


# Which models are in


def test_models_of_a_file_replace_the_builtin_ones(load: Load) -> None:
    assert ids(load(ACME + MODEL)) == {"m"}


def test_builtin_providers_stay_available_by_id(load: Load) -> None:
    config = load('[[models]]\nid = "m"\nprovider = "openai"\ntier = "mid"\n', OPENAI_API_KEY="k")
    spec = next(spec for spec in config.providers if spec.id == "openai")
    assert spec.base_url == "https://api.openai.com/v1"
    assert spec.usable


def test_a_file_that_extends_keeps_the_builtin_models_and_changes_only_the_named_keys(load: Load) -> None:
    config = load('extends = "builtin"\n[[models]]\nid = "gpt-6.1-sol"\ntier = "mid"\n' + ACME + MODEL)
    changed = next(model for model in config.models if model.id == "gpt-6.1-sol")
    assert {"m", "claude-opus-5-5"} <= ids(config)
    assert (changed.tier, changed.display, changed.context_window) == ("mid", "GPT-6.1 Sol", 1_050_000)


def test_a_file_without_models_keeps_the_builtin_ones(load: Load) -> None:
    assert "gpt-6.1-sol" in ids(load("[server]\n"))


def test_a_provider_of_a_file_replaces_the_builtin_one_so_that_no_key_goes_elsewhere(
    load: Load,
) -> None:
    config = load(ACME.replace("acme", "openai") + MODEL.replace("acme", "openai"), OPENAI_API_KEY="k")
    spec = next(spec for spec in config.providers if spec.id == "openai")
    assert (spec.api_key, spec.needs_key) == (None, False)


def test_the_local_model_serves_when_there_is_neither_a_file_nor_a_key(nowhere: Path) -> None:
    config = load_config(Settings(), {"OPENAI_API_KEY": "  "})
    assert zero_key(config), nowhere
    assert "smollm2-135m" in ids(config)


def test_the_local_model_steps_aside_once_a_key_is_there(nowhere: Path) -> None:
    config = load_config(Settings(), {"GROQ_API_KEY": "k"})
    assert not zero_key(config), nowhere
    assert "smollm2-135m" not in ids(config)


def test_with_a_file_the_local_model_serves_only_when_listed(load: Load) -> None:
    assert "smollm2-135m" not in ids(load('extends = "builtin"\n'))
    listed = load('extends = "builtin"\n[[models]]\nid = "smollm2-135m"\n')
    assert "smollm2-135m" in ids(listed)
    assert not zero_key(listed)


def test_whatever_the_sandbox_serves_is_simulated(load: Load) -> None:
    config = load('[[models]]\nid = "m"\nprovider = "sandbox"\ntier = "mid"\n' + ACME + MODEL.replace('"m"', '"n"'))
    assert {model.id: model.simulated for model in config.models} == {"m": True, "n": False}


def test_what_is_left_out_has_its_documented_default_and_is_never_zero(load: Load) -> None:
    (model,) = load(ACME + MODEL).models
    assert (model.upstream, model.display, model.family) == ("m", "m", "acme")
    assert (model.price.input, model.context_window, model.max_output_tokens) == (None, None, None)


def test_a_provider_without_its_key_is_listed_and_not_usable(load: Load) -> None:
    toml = ACME + 'api_key_env = "ACME_KEY"\n' + MODEL
    unset, blank, unsendable, set_ = (load(toml, ACME_KEY=key) for key in ("", " \n", "kéy", " key\n"))
    usable = [{s.id: s for s in config.providers}["acme"].usable for config in (unset, blank, unsendable, set_)]
    assert usable == [False, False, False, True]
    assert {s.id: s.api_key for s in set_.providers}["acme"] == "key"


# The other tables


def test_an_empty_file_has_the_documented_defaults(load: Load) -> None:
    config = load("")
    server, kept = config.server, config.retention
    assert (server.body_limit_mb, server.drain_timeout_s, server.docs, server.metrics) == (10, 30, True, True)
    assert (server.header_limit_kb, server.header_timeout_s, server.body_timeout_s) == (32, 15, 60)
    assert (server.keep_alive_s, server.cors_origins) == (5, ())
    assert (kept.content, kept.runs, kept.idempotency) == (None, timedelta(days=365), timedelta(hours=24))
    assert (config.proof.public, config.proof.seal, server.trusted_proxies) == (True, "strict", ())
    assert dict(config.policies) == {
        "efficiency": Policy("efficiency", 0.62, 2),
        "balanced": Policy("balanced", 0.72, 2),
        "depth": Policy("depth", 0.85, 3),
    }


def test_text_is_kept_for_the_period_that_is_set(load: Load) -> None:
    assert load('[retention]\ncontent = "30d"').retention.content == timedelta(days=30)
    assert load('[retention]\ncontent = "none"').retention.content is None


def test_a_policy_can_be_tuned_by_one_key_and_a_new_one_added(load: Load) -> None:
    policies = load("[policies.depth]\nbar = 0.9\n[policies.careful]\nbar = 1\nk = 8\n").policies
    assert policies["depth"] == Policy("depth", 0.9, 3)
    assert policies["careful"] == Policy("careful", 1.0, 8)


def test_fallbacks_keep_their_order(load: Load) -> None:
    config = load('[fallbacks]\n"gpt-6.1-sol" = ["claude-opus-5-5", "grok-4.7"]\n')
    assert dict(config.fallbacks) == {"gpt-6.1-sol": ("claude-opus-5-5", "grok-4.7")}


def test_the_example_loads_as_it_stands_and_says_the_defaults(load: Load) -> None:
    assert load(EXAMPLE.read_text()).policies == load("").policies


def test_the_example_loads_with_every_setting_switched_on_and_shows_every_key(load: Load) -> None:
    from prysm.config.load import _TABLES  # noqa: PLC0415 - only this test looks inside

    every = re.sub(r'^#(?=[\["a-z])', "", EXAMPLE.read_text(), flags=re.MULTILINE)
    config = load(every, ACME_API_KEY="k")
    assert {"acme-large", "smollm2-135m", "gpt-6.1-sol"} <= ids(config)
    assert config.server == load("").server
    assert config.retention == load("").retention
    unseen = {"managed", "audio_input_usd_per_mtok", "audio_output_usd_per_mtok"}
    for kind in ("server", "retention", "proof", "policies", "providers", "models"):
        for key in _TABLES[kind].model_fields.keys() - unseen:
            assert re.search(rf"^{key} = ", every, re.MULTILINE), key


# Bad input: each names its table and its key

BAD = [
    ("extend = 1", ['unknown key "extend"', 'did you mean "extends"']),
    ('extends = "other"', ['"extends" must be', "builtin"]),
    ("server = 1", ['"server" must be a table']),
    ("[server]\nbody_limit_md = 1", ["[server]", 'unknown key "body_limit_md"', "body_limit_mb"]),
    ("[server]\nbody_limit_mb = 0", ["[server]", '"body_limit_mb" must be greater than 0']),
    ("[server]\nbody_limit_mb = nan", ["[server]", '"body_limit_mb" must be']),
    ('[server]\ndocs = "yes"', ["[server]", '"docs" must be true or false']),
    ('[server]\ntrusted_proxies = ["proxy"]', ["[server]", '"trusted_proxies[0]"', "10.0.0.0/8"]),
    (
        '[server]\ncors_origins = ["https://a.test/page"]',
        ["[server]", '"cors_origins[0]"', "https://app.example.com"],
    ),
    ("[server]\nheader_limit_kb = 1", ["[server]", '"header_limit_kb" must be']),
    ("[server]\nbody_timeout_s = 0", ["[server]", '"body_timeout_s" must be']),
    ('[retention]\ncontent = "soon"', ["[retention]", '"content"', '"none"']),
    ("[retention]\nruns = 365", ["[retention]", '"runs"', "30d"]),
    ('[retention]\nruns = "none"', ["[retention]", '"runs"', "a day or more"]),
    ('[retention]\nruns = "23h"', ["[retention]", '"runs"', "a day or more"]),
    ('[retention]\nidempotency = "0h"', ["[retention]", '"idempotency"']),
    ('[proof]\nseal = "lazy"', ["[proof]", "seal", "spool"]),
    ("[proof]\npublic = 1", ["[proof]", '"public" must be true or false']),
    ("policies = 1", ['"policies" must be a table']),
    ("policies.depth = 1", ["[policies.depth]", "must be a table"]),
    ("[policies.depth]\nbar = 1.5", ["[policies.depth]", '"bar"', "less than or equal to 1"]),
    ("[policies.depth]\nbar = -0.1", ["[policies.depth]", '"bar"', "greater than or equal to 0"]),
    ("[policies.depth]\nk = 9", ["[policies.depth]", '"k"', "less than or equal to 8"]),
    ("[policies.depth]\nk = 2.0", ["[policies.depth]", '"k"', "integer"]),
    ("[policies.mine]\nk = 2", ["[policies.mine]", 'missing key "bar"']),
    ("[policies.single]\nbar = 0.5\nk = 1", ["[policies.single]", "not that of a strategy"]),
    ('[fallbacks]\n"gpt-6.1-sol" = ["gpt-6.1-sun"]', ["[fallbacks]", "unknown model", "gpt-6.1-sol"]),
    ('[fallbacks]\nnobody = ["gpt-6.1-sol"]', ["[fallbacks]", 'unknown model "nobody"']),
    ('[fallbacks]\n"gpt-6.1-sol" = "grok-4.7"', ["[fallbacks]", "must be an array"]),
    ('[models]\nid = "m"', ['"models"', "[[models]]"]),
    ('[providers]\nid = "m"', ['"providers"', "[[providers]]"]),
    ("models = [1]", ["[[models]]", "must be a table"]),
    ('[[models]]\nprovider = "openai"\ntier = "mid"', ["[[models]]", 'missing key "id"']),
    ('[[models]]\nid = 5\nprovider = "openai"\ntier = "mid"', ["[[models]]", '"id"', "string"]),
    ('[[models]]\nid = ""\nprovider = "openai"\ntier = "mid"', ["[[models]]", '"id"', "characters"]),
    ('[[models]]\nid = "a b"\nprovider = "openai"\ntier = "mid"', ["[[models]]", '"id"', "without blanks"]),
    ('[[models]]\nid = "auto"\nprovider = "openai"\ntier = "mid"', ['[[models]] "auto"', '"id"']),
    ('[[models]]\nid = "prysm/x"\nprovider = "openai"\ntier = "mid"', ['[[models]] "prysm/x"', '"id"']),
    ('[[models]]\nid = "m"\ntier = "mid"', ['[[models]] "m"', 'missing key "provider"', "extends"]),
    ('[[models]]\nid = "m"\nprovider = "openai"', ['[[models]] "m"', 'missing key "tier"']),
    (
        '[[models]]\nid = "m"\nprovider = "opnai"\ntier = "mid"',
        ['[[models]] "m"', '"opnai"', 'did you mean "openai"'],
    ),
    (ACME + MODEL + MODEL, ['[[models]] "m"', "given 2 times"]),
    (ACME + ACME + MODEL, ['[[providers]] "acme"', "given 2 times"]),
    (ACME + MODEL.replace("mid", "huge"), ['[[models]] "m"', '"tier"', "'small', 'mid' or 'strong'"]),
    (ACME + MODEL + "input_usd_per_mtoc = 1", ['[[models]] "m"', '"input_usd_per_mtoc"', '"input_usd_per_mtok"']),
    (ACME + MODEL + "input_usd_per_mtok = -1", ['[[models]] "m"', '"input_usd_per_mtok"', "0 or more"]),
    (ACME + MODEL + "output_usd_per_mtok = -0.5", ['[[models]] "m"', '"output_usd_per_mtok"', "0 or more"]),
    (ACME + MODEL + "output_usd_per_mtok = inf", ['[[models]] "m"', '"output_usd_per_mtok"']),
    (ACME + MODEL + "output_usd_per_mtok = true", ['[[models]] "m"', '"output_usd_per_mtok"', "number of dollars"]),
    (
        ACME + MODEL + 'output_usd_per_mtok = "free"',
        ['[[models]] "m"', '"output_usd_per_mtok"', "number of dollars"],
    ),
    (ACME + MODEL + "output_usd_per_mtok = 1e12", ['[[models]] "m"', '"output_usd_per_mtok"', "at most"]),
    (
        ACME + MODEL + 'output_usd_per_mtok = "0.0000000001"',
        ['[[models]] "m"', '"output_usd_per_mtok"', "9 decimals"],
    ),
    (ACME + MODEL + "context_window = 0", ['[[models]] "m"', '"context_window"']),
    (ACME + MODEL + 'context_window = "4k"', ['[[models]] "m"', '"context_window"', "integer"]),
    (ACME + MODEL + "quality = 0.5", ['[[models]] "m"', '"quality" must be a table']),
    (ACME + MODEL + "quality = { default = 1.1 }", ['[[models]] "m"', '"quality.default"', "equal to 1"]),
    (ACME + MODEL + "quality = { code = -0.1 }", ['[[models]] "m"', '"quality.code"', "equal to 0"]),
    (
        ACME + MODEL + "quality = { coding = 0.5 }",
        ['[[models]] "m"', 'unknown key "quality.coding"', "one of code"],
    ),
    (ACME + MODEL + 'capabilities = ["tool"]', ['[[models]] "m"', '"capabilities[0]"', "'tools'"]),
    (ACME + MODEL + "simulated = true", ['[[models]] "m"', 'unknown key "simulated"']),
    (ACME.replace('"openai"', '"opnai"'), ['[[providers]] "acme"', '"kind"', "'openai'"]),
    (ACME + "timeout_s = 0", ['[[providers]] "acme"', '"timeout_s"']),
    (ACME + "max_concurrency = 0", ['[[providers]] "acme"', '"max_concurrency"']),
    (ACME + 'managed = "vllm"', ['[[providers]] "acme"', '"managed"', "xllamacpp"]),
    (ACME + 'api_key = "hunter2"', ['[[providers]] "acme"', 'unknown key "api_key"', "api_key_env"]),
    (ACME + 'api_key_env = "sk-hunter2"', ['[[providers]] "acme"', '"api_key_env"', "never the key itself"]),
    (ACME.replace("https://", "https://u:hunter2@"), ['[[providers]] "acme"', '"base_url"', "api_key_env"]),
    (ACME.replace("https", "ftp"), ['[[providers]] "acme"', '"base_url"', "https://"]),
    (ACME.replace(".example", ".example:port"), ['[[providers]] "acme"', '"base_url"']),
    (ACME.replace("llm.acme.example", "[::1"), ['[[providers]] "acme"', '"base_url"']),
    ('[[providers]]\nid = "p"\nkind = "openai"', ['[[providers]] "p"', 'needs "base_url"']),
]


@pytest.mark.parametrize(("toml", "words"), BAD, ids=[toml.replace("\n", " ")[-60:] for toml, _ in BAD])
def test_what_cannot_be_used_is_refused_by_table_and_key(load: Load, toml: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(toml)
    said = refused.value.message
    assert len(said.splitlines()) == 1, said
    assert said.startswith("prysm.toml: ")
    for word in words:
        assert word in said
    assert "hunter2" not in said


def test_everything_that_is_wrong_is_said_at_once(load: Load) -> None:
    with pytest.raises(ConfigError) as refused:
        load('[server]\ndocs = 1\n[[models]]\nid = "m"\nprovider = "x"\ntier = "mid"\ninput_usd_per_mtok = -1\n')
    said = refused.value.message.splitlines()
    assert len(said) == 3
    assert [line.split(":")[1].strip() for line in said] == ["[server]", '[[models]] "m"', '[[models]] "m"']


# Properties

rates = st.decimals(0, 1_000_000, places=9).map(lambda usd: format(usd, "f"))
fast = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fast
@given(rates)
def test_a_price_written_as_a_string_is_exact_to_the_nano_dollar(load: Load, usd: str) -> None:
    (model,) = load(f'{ACME}{MODEL}input_usd_per_mtok = "{usd}"\noutput_usd_per_mtok = 0\n').models
    assert model.price.input == Decimal(usd) * 1_000_000_000
    assert model.price.output == 0


@fast
@given(st.decimals(0, 10_000, places=6))
def test_a_price_written_as_a_number_is_what_the_digits_say(load: Load, usd: Decimal) -> None:
    (model,) = load(f"{ACME}{MODEL}cache_write_usd_per_mtok = {usd:f}\n").models
    assert model.price.cache_write == usd * 1_000_000_000


@fast
@given(
    st.sampled_from(TIERS),
    st.integers(1, 10**9),
    st.dictionaries(st.sampled_from([*TASKS, "default"]), st.floats(0, 1)),
    st.sets(st.sampled_from(["tools", "json_schema", "vision", "logprobs", "developer_role"])),
)
def test_every_known_key_comes_back_as_written(
    load: Load, tier: str, tokens: int, quality: dict[str, float], able: set[str]
) -> None:
    table = ", ".join(f"{task} = {chance!r}" for task, chance in quality.items())
    toml = f"context_window = {tokens}\nmax_output_tokens = {tokens}\nlatency_ms = {tokens}\n"
    toml += f"capabilities = {sorted(able)!r}\nquality = {{ {table} }}\n"
    toml += 'upstream = "u/x"\nfamily = "f"\ndisplay = "D d"\n'
    (model,) = load(ACME + MODEL.replace("mid", tier) + toml).models
    assert (model.tier, model.upstream, model.family, model.display) == (tier, "u/x", "f", "D d")
    assert (model.context_window, model.max_output_tokens, model.latency_ms) == (tokens, tokens, tokens)
    assert (dict(model.quality), set(model.capabilities)) == (quality, able)


json_like = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab/", max_size=3).map(repr),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@fast
@given(st.sampled_from(["extends", "server", "policies", "fallbacks", "providers", "models", "x"]), json_like)
def test_a_value_of_any_shape_is_read_or_refused_never_a_crash(load: Load, key: str, value: object) -> None:
    text = str(value).replace("True", "true").replace("False", "false").replace('"', "")
    with suppress(ConfigError):
        load(f"{key} = {text}\n")
