"""`client.budgets` and `client.credits`; the same over both clients, whose calls give a `Reply` or one to await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from prysm.client.wire import Call, asking, sending

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
BUDGETS, CREDITS = "/v1/budgets", "/v1/credits"


class Budgets(Generic[R]):
    """Limits on what is spent. Takes the root key, or an admin's, which sees its own organisation only."""

    def __init__(self, send: Callable[[Call], R]) -> None:
        self._send = send

    def create(self, limit_usd: float, period: str, **fields: Any) -> R:
        """Limit what an organisation spends in a `period`: day, month, total.

        Fields: `hard`, `organisation`, and one of `project`, `key` and `tag` for a budget over that alone.
        """
        return self._send(sending("POST", BUDGETS, {"limit_usd": limit_usd, "period": period, **fields}))

    def list(self, *, limit: int = 1000, after: str | None = None) -> R:
        """List the budgets with what their windows count, newest first; `after`: the last id seen."""
        return self._send(asking(BUDGETS, limit=limit, after=after))

    def get(self, budget_id: str) -> R:
        """Look at one budget."""
        return self._send(Call("GET", _path(budget_id)))

    def update(self, budget_id: str, **fields: Any) -> R:
        """Change `limit_usd` or `hard`."""
        return self._send(sending("PATCH", _path(budget_id), fields))

    def delete(self, budget_id: str) -> R:
        """End a budget."""
        return self._send(Call("DELETE", _path(budget_id)))


class Credits(Generic[R]):
    """What organisations paid in advance. Amounts in replies are decimal strings, exact."""

    def __init__(self, send: Callable[[Call], R]) -> None:
        self._send = send

    def get(self, organisation: str | None = None, *, limit: int = 100, after: int | None = None) -> R:
        """Tell what an organisation has left, with its ledger, newest first; `after`: the last id seen."""
        return self._send(asking(CREDITS, organisation=organisation, limit=limit, after=after))

    def book(self, organisation: str, amount_usd: float, kind: str = "topup", **fields: Any) -> R:
        """Give an organisation credits. Takes the root key. A `kind` of topup or trial; adjust may take some.

        Field: `note`.
        """
        booking = {"organisation": organisation, "amount_usd": amount_usd, "kind": kind, **fields}
        return self._send(sending("POST", CREDITS, booking))


def _path(budget_id: str) -> str:
    return f"{BUDGETS}/{quote(budget_id, safe='')}"
