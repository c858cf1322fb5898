"""What is asked of a key, as it comes over the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from prysm.api.moments import Moment  # noqa: TC001 - pydantic reads the annotation at run time
from prysm.api.money import nano_of
from prysm.api.parse import Strict
from prysm.core.caller import Scope  # noqa: TC001 - pydantic reads the annotation at run time
from prysm.errors import InvalidRequest
from prysm.store.keys import KeyBudget
from prysm.strategies import STRATEGIES

if TYPE_CHECKING:
    from prysm.registry.catalog import Catalog

DAY_S = 24 * 3600
LISTED = 8


def printable(text: str) -> str:
    """Text that fits on a line of a log."""
    if not text.isprintable():
        raise ValueError("use printable characters only")
    return text


def _of_the_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("give a time in the future, such as 2031-01-31T12:00:00Z")
    return moment


def _as_list(tags: object) -> object:
    """Tags also as OpenAI's `metadata`, an object."""
    if isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values()):
        return [f"{name}={value}" for name, value in tags.items()]
    return tags


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printable)]
Limit = Annotated[int, Field(ge=1, lt=2**31)]
Id = Annotated[str, Field(max_length=200), AfterValidator(printable)]
Ids = Annotated[list[Id], Field(max_length=1000)]
Tag = Annotated[str, Field(min_length=1, max_length=600), AfterValidator(printable)]
Role = Literal["member", "admin", "reader"]
Period = Literal["total", "day", "month"]


class KeySettings(Strict):
    """What a new key may be given, and what can be changed of one. Lists that are null allow everything."""

    scopes: list[Scope] | None = None
    budget_usd: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    budget_period: Period | None = None
    rpm: Limit | None = None
    tpm: Limit | None = None
    concurrency: Limit | None = None
    allowed_models: Ids | None = None
    allowed_strategies: Ids | None = None
    retention: Literal["zero"] | None = None
    cache: bool = False
    tags: Annotated[list[Tag], Field(max_length=16), BeforeValidator(_as_list)] = Field(default=[])
    expires_at: Annotated[Moment, AfterValidator(_of_the_future)] | None = None

    def columns(self) -> dict[str, Any]:
        """The columns of the key that are given."""
        elsewhere = {"budget_usd", "budget_period", "organisation", "project"}
        return self.model_dump(mode="json", include=self.model_fields_set - elsewhere)

    def budget(self) -> KeyBudget:
        """The budget that is given."""
        usd = self.budget_usd
        return KeyBudget(None if usd is None else nano_of(usd, "budget_usd"), self.budget_period)

    def check(self, catalog: Catalog) -> None:
        """Raise `InvalidRequest` naming models and strategies that are not there."""
        _all_known("allowed_models", self.allowed_models, {model.id for model in catalog.models}, "GET /v1/models")
        _all_known("allowed_strategies", self.allowed_strategies, set(STRATEGIES), ", ".join(sorted(STRATEGIES)))


class NewKeyBody(KeySettings):
    """`POST /v1/keys`. The organisation and the project by name or id; `default` unless they are named."""

    name: Name
    role: Role = "member"
    organisation: Name | None = None
    project: Name | None = None

    def columns(self) -> dict[str, Any]:
        """Every column of the key, and none of the rest."""
        elsewhere = {"budget_usd", "budget_period", "organisation", "project"}
        return self.model_dump(mode="json", exclude=elsewhere)


class KeyChanges(KeySettings):
    """`PATCH /v1/keys/{id}`: only what is there changes; null lifts a limit."""

    name: Name = ""
    role: Role = "member"


class RotationBody(Strict):
    """`POST /v1/keys/{id}/rotate`: for how many seconds the key as it was still works."""

    overlap_s: Annotated[int, Field(ge=0, le=7 * DAY_S)] = 3600


def _all_known(field: str, named: list[str] | None, known: set[str], where: str) -> None:
    unknown = [name for name in named or () if name not in known]
    if unknown:
        listed = ", ".join(f"'{name}'" for name in unknown[:LISTED])
        raise InvalidRequest(f"'{field}' names what is not there: {listed}. There is: {where}.", param=field)
