"""`prysm proof prompt`: what a gateway commits to of a request, by the gateway's own parser."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from prysm.api import parse
from prysm.api.bodies import ChatBody, OrchestrateBody
from prysm.api.embeddings import EmbeddingBody
from prysm.api.messages_body import MessagesBody
from prysm.api.responses_body import ResponsesBody
from prysm.errors import InvalidRequest
from prysm.proof.jcs import jcs
from prysm.proof.options import read_file
from prysm.receipt.commitments import asked

if TYPE_CHECKING:
    from prysm.core.plan import ChatRequest

prompt = typer.Typer(add_completion=False, rich_markup_mode=None)


class Surface(StrEnum):
    """The route that a body was sent to."""

    CHAT = "chat"
    ORCHESTRATE = "orchestrate"
    MESSAGES = "messages"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"


@prompt.command()
def form(
    body: Annotated[Path, typer.Argument(metavar="BODY.json", help="The body of the request, as it was sent.")],
    *,
    surface: Annotated[Surface, typer.Option(help="The route that it was sent to.")] = Surface.CHAT,
) -> None:
    """Print what a receipt commits to of a request: canonical JSON, to be given to `verify --prompt`."""
    sys.stdout.buffer.write(jcs(asked(_request(surface, read_file(body)))) + b"\n")


def _request(surface: Surface, raw: bytes) -> ChatRequest:
    match surface:
        case Surface.CHAT:
            return parse.read(ChatBody, raw).chat_request()
        case Surface.ORCHESTRATE:
            return parse.read(OrchestrateBody, raw).chat_request()
        case Surface.MESSAGES:
            return parse.read(MessagesBody, raw).chat_request()
        case Surface.EMBEDDINGS:
            return parse.read(EmbeddingBody, raw).request()
        case Surface.RESPONSES:
            return _response(parse.read(ResponsesBody, raw))


def _response(body: ResponsesBody) -> ChatRequest:
    if body.previous_response_id is not None:
        raise InvalidRequest(
            "A body with 'previous_response_id' lacks what was said before: put those items into its 'input'.",
            param="previous_response_id",
        )
    return body.chat_request()
