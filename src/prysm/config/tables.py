"""What `prysm.toml` may say, table by table, and the values that providers and models become."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads it at run time
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from prysm.config.values import (
    Address,
    Capability,
    Chance,
    Days,
    ModelId,
    Name,
    Network,
    Origin,
    Period,
    PolicyName,
    Seal,
    Seconds,
    Table,
    TaskName,
    Tokens,
    Usd,
    Variable,
)
from prysm.core.model import Model, Price, Tier
from prysm.core.provider import ProviderSpec, WireFormat
from prysm.registry.prices import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Self


class ProviderTable(Table):
    """One `[[providers]]`."""

    id: Name
    kind: WireFormat
    base_url: Address = ""
    api_key_env: Variable | None = None
    managed: Literal["xllamacpp"] | None = None
    proxy: Address | None = None
    timeout_s: Seconds = 60.0
    connect_timeout_s: Seconds = 5.0
    first_byte_timeout_s: Seconds = 30.0
    idle_timeout_s: Seconds = 20.0
    max_concurrency: Annotated[int, Field(ge=1)] = 64
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    rpm: Annotated[int, Field(ge=1)] | None = None
    tpm: Annotated[int, Field(ge=1)] | None = None
    hedge_after_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    breaker: bool = True

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not (self.base_url or self.managed or self.kind == "sandbox"):
            raise ValueError('needs "base_url": everything before /chat/completions, /messages or /models/…')
        return self

    def spec(self, environ: Mapping[str, str]) -> ProviderSpec:
        """The provider with its key from the environment, if the key is there and can be sent."""
        key = environ.get(self.api_key_env, "").strip() if self.api_key_env else ""
        sendable = key.isascii() and key.isprintable()
        return ProviderSpec(
            **self.model_dump(), api_key=key if key and sendable else None, needs_key=self.api_key_env is not None
        )


class ModelTable(Table):
    """One `[[models]]`. A price that is left out comes from the price table of the package, or is unknown."""

    id: ModelId
    provider: Name
    tier: Tier
    upstream: Name | None = None
    display: Annotated[str, Field(min_length=1)] | None = None
    family: Name | None = None
    input_usd_per_mtok: Usd = None
    output_usd_per_mtok: Usd = None
    cached_input_usd_per_mtok: Usd = None
    cache_write_usd_per_mtok: Usd = None
    cache_write_1h_usd_per_mtok: Usd = None
    reasoning_usd_per_mtok: Usd = None
    audio_input_usd_per_mtok: Usd = None
    audio_output_usd_per_mtok: Usd = None
    context_window: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: list[Capability] = Field(default_factory=list)
    quality: dict[TaskName, Chance] = Field(default_factory=dict)
    latency_ms: Tokens | None = None

    def model(self, provider: ProviderSpec, on: date) -> Model:
        """The model, priced for that day. Whatever the sandbox serves is simulated; vectors are no output tokens."""
        upstream = self.upstream or self.id
        price = resolve(provider.base_url, upstream, self._stated(), on)
        return Model(
            id=self.id,
            provider=self.provider,
            upstream=upstream,
            display=self.display or self.id,
            family=self.family or self.provider,
            tier=self.tier,
            price=replace(price, output=0) if "embeddings" in self.capabilities else price,
            context_window=self.context_window,
            max_output_tokens=self.max_output_tokens,
            capabilities=frozenset(self.capabilities),
            quality=MappingProxyType(dict(self.quality)),
            latency_ms=self.latency_ms,
            simulated=provider.kind == "sandbox",
        )

    def _stated(self) -> Price:
        return Price(
            input=self.input_usd_per_mtok,
            output=self.output_usd_per_mtok,
            cached_input=self.cached_input_usd_per_mtok,
            cache_write=self.cache_write_usd_per_mtok,
            cache_write_1h=self.cache_write_1h_usd_per_mtok,
            reasoning=self.reasoning_usd_per_mtok,
            audio_input=self.audio_input_usd_per_mtok,
            audio_output=self.audio_output_usd_per_mtok,
        )


class PolicyTable(Table):
    """One `[policies.NAME]`: the bar on P(correct), the default width, and the floors of a lone answer."""

    bar: Chance
    k: Annotated[int, Field(ge=1, le=8)]
    min_confidence: Chance | None = None
    max_latency_ms: Annotated[int, Field(ge=1)] | None = None


class Server(Table):
    """`[server]`."""

    body_limit_mb: Annotated[float, Field(gt=0, le=1024)] = 10
    drain_timeout_s: Annotated[float, Field(ge=0, le=3600)] = 30
    max_runs: Annotated[int, Field(ge=1)] = 2000
    max_waiting: Annotated[int, Field(ge=0)] = 1000
    docs: bool = True
    metrics: bool = True
    trusted_proxies: Annotated[tuple[Network, ...], Field(strict=False)] = ()
    cors_origins: Annotated[tuple[Origin, ...], Field(strict=False)] = ()
    header_limit_kb: Annotated[int, Field(ge=4, le=1024)] = 32
    header_timeout_s: Annotated[float, Field(ge=0.1, le=3600)] = 15
    body_timeout_s: Annotated[float, Field(ge=0.1, le=3600)] = 60
    keep_alive_s: Annotated[int, Field(ge=1, le=3600)] = 5


class Retention(Table):
    """`[retention]`: how long things are kept; `None` keeps none.

    `content` is the text of prompts and answers, of `/v1/responses` alone: what `previous_response_id` goes on from.
    `runs` is what was used, and the stages that receipts commit to; at least a day.
    """

    content: Period = None
    runs: Days = timedelta(days=365)
    idempotency: Period = timedelta(hours=24)


class ResponseCache(Table):
    """`[cache]`: for how long an answer is kept where the request does not say; `None` keeps none.

    The other two bound what an organisation has, the oldest going first.
    """

    ttl: Period = timedelta(hours=1)
    max_entries: Annotated[int, Field(ge=1)] = 10_000
    max_mb: Annotated[float, Field(gt=0)] = 256


class Proof(Table):
    """`[proof]`: whether a receipt can be read without a key, and when an answer may leave before its receipt."""

    public: bool = True
    seal: Seal = "strict"


class Scoring(Table):
    """`[scoring]`: the operator's own calibration, a file that `prysm calibrate` wrote."""

    calibration: Annotated[Path | None, Field(strict=False)] = None


class File(Table):
    """The whole of `prysm.toml`, laid over the built-in catalog."""

    extends: Literal["builtin"] | None = None
    server: Server = Server()
    retention: Retention = Retention()
    cache: ResponseCache = ResponseCache()
    proof: Proof = Proof()
    scoring: Scoring = Scoring()
    policies: dict[PolicyName, PolicyTable]
    fallbacks: dict[str, list[str]] = Field(default_factory=dict)
    providers: list[ProviderTable]
    models: list[ModelTable]
