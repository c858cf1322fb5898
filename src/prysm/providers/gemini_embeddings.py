"""Embeddings in Gemini's format. https://ai.google.dev/api/embeddings#method:-models.batchembedcontents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from prysm.providers.embeddings import EmbeddingFormat, answered, packed
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, mapping, optional, sequence
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from prysm.core.chat import Completion, ModelCall
    from prysm.core.embedding import Embed


def path(call: ModelCall) -> str:
    """Return the path, which names the model and the method."""
    return f"/models/{quote(call.model.upstream, safe='')}:batchEmbedContents"


def request(call: ModelCall, embed: Embed) -> dict[str, Any]:
    """Write the body: a request for each text."""
    if (field := inexpressible("gemini", call)) is not None:
        raise Unusable("rejected", f"has no way to say {field}; send at most 100 texts or choose another model")
    length = {} if embed.dimensions is None else {"outputDimensionality": embed.dimensions}
    model = f"models/{call.model.upstream}"
    return {
        "requests": [{"model": model, "content": {"parts": [{"text": text}]}} | length for text in embed.inputs]
    }


def answer(data: dict[str, Any], embed: Embed) -> Completion:
    """Read the embeddings, which come in the order of the requests."""
    check_error(data)
    items = [mapping(item, "embeddings") for item in sequence(data.get("embeddings"), "embeddings")]
    vectors = packed([sequence(item.get("values"), "values") for item in items], embed)
    return answered(vectors, count(optional(data.get("usageMetadata")).get("promptTokenCount")))


GEMINI_EMBEDDINGS = EmbeddingFormat(path, request, answer)
