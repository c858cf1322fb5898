"""The Python client: `Prysm` and `AsyncPrysm`. It carries no server code."""

from prysm.client.aio import AsyncPrysm, AsyncStream
from prysm.client.errors import BadAnswer, GatewayError, GatewayUnreachable, PrysmClientError
from prysm.client.receipt import verify_document
from prysm.client.reply import Reply
from prysm.client.sync import Prysm, Stream

__all__ = [
    "AsyncPrysm",
    "AsyncStream",
    "BadAnswer",
    "GatewayError",
    "GatewayUnreachable",
    "Prysm",
    "PrysmClientError",
    "Reply",
    "Stream",
    "verify_document",
]
