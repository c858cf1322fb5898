"""`POST /v1/embeddings`: OpenAI's route; texts become vectors on the path that chats take, receipt and all."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import orjson
from fastapi import APIRouter
from pydantic import Discriminator, Field, Tag
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002

from prysm.api import cached, documented, parse, render
from prysm.api.parse import Strict
from prysm.api.ratelimit_headers import told
from prysm.api.respond import RunResponse, Shape
from prysm.api.services import read_body, services
from prysm.core.chat import Sampling
from prysm.core.embedding import Embed
from prysm.core.model import NANO_PER_USD
from prysm.core.plan import ChatRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Send

    from prysm.core.embedding import Input, Vectors
    from prysm.gateway import Answer, Gateway

    Written: TypeAlias = Callable[[Vectors, int], str | tuple[float, ...]]

router = APIRouter(tags=["OpenAI"])

MOST_INPUTS = 2048
MOST_TOKENS = 8192
NUMBERS_AT_ONCE = 65_536
"""Numbers that are written without a look at who else is waiting: a few milliseconds."""

Text: TypeAlias = Annotated[str, Field(min_length=1)]
TokenIds: TypeAlias = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1, max_length=MOST_TOKENS)
]


def _shape(given: object) -> str:
    """Which of the four ways of giving inputs this is, by the first of them."""
    if not isinstance(given, list):
        return "text"
    first = given[0] if given else ""
    return "tokens" if isinstance(first, int) else "token_lists" if isinstance(first, list) else "texts"


Inputs: TypeAlias = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS), Tag("texts")]
    | Annotated[TokenIds, Tag("tokens")]
    | Annotated[list[TokenIds], Field(max_length=MOST_INPUTS), Tag("token_lists")],
    Discriminator(_shape),
]


class EmbeddingBody(Strict):
    """OpenAI's body, with what of Prysm's own fields makes sense here."""

    input: Inputs
    model: Annotated[str, Field(min_length=1, max_length=256)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, le=65_536)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    max_cost_usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    deadline_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] | None = None
    retention: Literal["zero"] | None = None
    cache: cached.Wish = None

    def request(self) -> ChatRequest:
        """`auto` takes the cheapest model, anything else names one."""
        cost = self.max_cost_usd
        return ChatRequest(
            messages=(),
            sampling=Sampling(user=self.user),
            pinned=None if self.model == "auto" else self.model,
            max_cost_nano=None if cost is None else int(Decimal(repr(cost)) * NANO_PER_USD),
            deadline_s=self.deadline_s,
            retention_zero=self.retention == "zero",
            cache=cached.caching(self.cache),
            embed=Embed(_inputs(self.input), self.dimensions),
        )


def _inputs(given: Any) -> tuple[Input, ...]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given[0], int):
        return (tuple(given),)
    return tuple(each if isinstance(each, str) else tuple(each) for each in given)


class EmbeddingResponse(RunResponse):
    """Sends vectors a stretch at a time: a long answer neither fills the memory nor holds up other callers."""

    def __init__(self, gateway: Gateway, request: ChatRequest, *, base64: bool) -> None:
        super().__init__(gateway, request, Shape(render=frame))
        self._written = in_base64 if base64 else in_numbers

    async def _whole(self, send: Send, answer: Answer) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"x-prysm-proof-url", f"/v1/proof/{answer.receipt.request_id}".encode()),
            *told(answer.admitted),
            *cached.headers(answer.cache),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        vectors = answer.verdict.candidate.completion.vectors
        for stretch in stretches(vectors, self._written) if vectors is not None else ():
            await send({"type": "http.response.body", "body": stretch, "more_body": True})
            await asyncio.sleep(0)
        end = b"]," + orjson.dumps(self._shape.render(answer))[1:]
        await send({"type": "http.response.body", "body": end})


def stretches(vectors: Vectors, written: Written) -> Iterator[bytes]:
    """The beginning of OpenAI's list, up to the end of its last vector, in pieces."""
    step = max(1, NUMBERS_AT_ONCE // vectors.dimensions)
    for start in range(0, len(vectors), step):
        rows = range(start, min(start + step, len(vectors)))
        items = [{"object": "embedding", "index": i, "embedding": written(vectors, i)} for i in rows]
        yield (b"," if start else b'{"object":"list","data":[') + orjson.dumps(items)[1:-1]


def in_base64(vectors: Vectors, i: int) -> str:
    """A vector as base64 of little-endian float32."""
    return b64encode(vectors.raw(i)).decode()


def in_numbers(vectors: Vectors, i: int) -> tuple[float, ...]:
    """A vector as a list of numbers."""
    return vectors.floats(i)


def frame(answer: Answer) -> dict[str, Any]:
    """What stands beside the vectors."""
    tokens = answer.receipt.account.prompt_tokens
    return {
        "model": answer.verdict.candidate.model.id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "prysm": render.block(answer),
    }


@router.post("/v1/embeddings", **documented.run(EmbeddingBody, "A list of embeddings."))
async def embeddings(request: Request) -> Response:
    """Make vectors of texts: `auto` takes the cheapest live model, a catalog id names one.

    Vectors of different models cannot be compared, so only the same model at another host ever stands in.
    """
    body = parse.read(EmbeddingBody, await read_body(request))
    base64 = body.encoding_format == "base64"
    return EmbeddingResponse(services(request).gateway, body.request(), base64=base64)
