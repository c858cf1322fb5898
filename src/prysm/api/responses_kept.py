"""Responses that are kept, where the operator keeps text: what a conversation goes on from, and what can be read back.

`[retention] content` in prysm.toml says for how long; without it nothing is kept, and that is what the answer says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from prysm.api.responses_items import AnyItem
from prysm.errors import InvalidRequest, NotFound, ProofUnavailable, RequestTooLarge, UnsupportedParameter
from prysm.store.responses import KeptResponse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from prysm.api.responses_body import ResponsesBody
    from prysm.api.responses_render import ResponseObject
    from prysm.core.caller import Caller
    from prysm.core.events import Emit
    from prysm.core.plan import ChatRequest
    from prysm.gateway import Answer, Gateway
    from prysm.store.responses import ResponseStore

HOW_TO_KEEP = 'Set content = "30d" under [retention] in prysm.toml to keep responses'
_ID_LENGTH = 32
_ITEMS: TypeAdapter[list[AnyItem]] = TypeAdapter(list[AnyItem])


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where responses are kept, and for how long."""

    store: ResponseStore
    period: timedelta


@dataclass(frozen=True, slots=True)
class Keeping:
    """A gateway whose answer is kept before it goes out."""

    gateway: Gateway
    shelf: Shelf
    response: ResponseObject
    owner: str
    previous: UUID | None
    input: bytes

    async def run(self, request: ChatRequest, request_id: UUID, emit: Emit, caller: Caller) -> Answer:
        """Answer as the gateway does. Raises `ProofUnavailable` when the answer cannot be kept."""
        answer = await self.gateway.run(request, request_id, emit, caller)
        body = orjson.dumps(self.response.finished(answer))
        kept = KeptResponse(request_id, self.owner, self.previous, self.input, body)
        try:
            await self.shelf.store.put(kept, caller.org, self.shelf.period)
        except ProofUnavailable:
            away = ProofUnavailable(
                'The answer could not be kept, so it is withheld. Ask again with "store": false, or when /ready '
                "answers 200."
            )
            away.sealed = True
            raise away from None
        return answer


def is_kept(body: ResponsesBody, shelf: Shelf | None, *, zero: bool) -> bool:
    """Whether the answer is to be kept; raises for one that is asked to be and cannot. `zero`: the key's retention."""
    zero = zero or body.retention == "zero"
    if body.store is True and zero:
        raise InvalidRequest(
            "'store': true and a retention of zero, the request's or the key's, exclude each other: leave store out.",
            param="store",
        )
    if body.store is True and shelf is None:
        raise UnsupportedParameter(
            f"'store': this gateway keeps no text. {HOW_TO_KEEP}, or leave store out.", param="store"
        )
    return shelf is not None and not zero and body.store is not False


async def earlier(shelf: Shelf | None, previous: str | None, owner: str, most_bytes: int) -> list[AnyItem]:
    """The items of the conversation that ends with the response `previous`, the oldest first."""
    if previous is None:
        return []
    if shelf is None:
        raise UnsupportedParameter(
            f"'previous_response_id': this gateway keeps no text. Send the whole conversation as input. {HOW_TO_KEEP}.",
            param="previous_response_id",
        )
    id_ = parsed(previous)
    told = await shelf.store.conversation(id_, owner, most_bytes) if id_ else []
    if sum(len(one.input) + len(one.body) for one in told) > most_bytes:
        raise RequestTooLarge(
            f"The conversation before this input is over {most_bytes / 1_000_000:g} MB. Begin a new one, or raise "
            "[server] body_limit_mb in prysm.toml."
        )
    if not told or told[0].previous is not None:
        raise _gone(previous, begun=bool(told))
    return _ITEMS.validate_json(orjson.dumps([item for one in told for item in _items(one)]))


def parsed(id_: str) -> UUID | None:
    """The run behind a response's id; None for what can be none."""
    bare = id_.removeprefix("resp_")
    try:
        return UUID(bare) if len(bare) == _ID_LENGTH else None
    except ValueError:
        return None


async def read(shelf: Shelf | None, id_: str, owner: str) -> KeptResponse:
    """The response under an id; raises `NotFound`."""
    run = parsed(id_)
    found = await shelf.store.get(run, owner) if shelf and run else None
    if found is None:
        raise not_kept(shelf)
    return found


def not_kept(shelf: Shelf | None) -> NotFound:
    """The refusal of an id under which nothing is kept."""
    why = "It has expired, was deleted, or was asked for with another key." if shelf else f"{HOW_TO_KEEP}."
    return NotFound(f"No response is kept under this id. {why}", param="response_id")


def input_of(body: ResponsesBody) -> bytes:
    """The items of a request as they came."""
    if isinstance(body.input, str):
        return orjson.dumps([{"role": "user", "content": body.input}])
    return _ITEMS.dump_json(body.input, by_alias=True, exclude_unset=True)


def input_items(kept: KeptResponse) -> list[dict[str, Any]]:
    """The items a response was asked with, each with an id and its content in parts."""
    listed = orjson.loads(kept.input)
    return [_shown(item, f"{kept.id.hex}{i:04x}") for i, item in enumerate(listed)]


def _items(kept: KeptResponse) -> Sequence[Any]:
    return [*orjson.loads(kept.input), *orjson.loads(kept.body)["output"]]


def _shown(item: dict[str, Any], number: str) -> dict[str, Any]:
    shown = {"type": "message", "status": "completed"} | item
    shown["id"] = item.get("id") or f"item_{number}"
    if shown["type"] == "message" and isinstance(item["content"], str):
        said = {"type": "output_text", "annotations": []} if item["role"] == "assistant" else {"type": "input_text"}
        shown["content"] = [said | {"text": item["content"]}]
    return shown


def _gone(previous: str, *, begun: bool) -> InvalidRequest:
    why = "Part of the conversation before it has expired or was deleted." if begun else "It is not kept here."
    return InvalidRequest(
        f"'previous_response_id': the conversation of {previous[:64]!r} cannot go on. {why} Send the whole "
        "conversation as input.",
        param="previous_response_id",
        code="previous_response_not_found",
    )
