"""Embeddings in OpenAI's format. https://platform.openai.com/docs/api-reference/embeddings/create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prysm.providers.embeddings import EmbeddingFormat, answered, packed
from prysm.providers.failures import Unusable, check_error
from prysm.providers.fields import count, label, mapping, optional, sequence

if TYPE_CHECKING:
    from prysm.core.chat import Completion, ModelCall
    from prysm.core.embedding import Embed


def request(call: ModelCall, embed: Embed) -> dict[str, Any]:
    """Write the body. Base64 is half as long as numbers, and exact; hosts that do not know it send numbers."""
    body: dict[str, Any] = {"model": call.model.upstream, "input": embed.form(), "encoding_format": "base64"}
    if embed.dimensions is not None:
        body["dimensions"] = embed.dimensions
    if call.sampling.user is not None:
        body["user"] = call.sampling.user
    return body


def answer(data: dict[str, Any], embed: Embed) -> Completion:
    """Read a list of embeddings, in whatever order they come."""
    check_error(data)
    items = [mapping(item, "data") for item in sequence(data.get("data"), "data")]
    by_index = {count(item.get("index")): item.get("embedding") for item in items}
    if by_index.keys() != set(range(len(items))):
        raise Unusable("malformed", "sent vectors whose index is missing or twice the same; choose another model")
    vectors = packed([by_index[i] for i in range(len(items))], embed)
    tokens = count(optional(data.get("usage")).get("prompt_tokens"))
    return answered(vectors, tokens, label(data.get("model")))


OPENAI_EMBEDDINGS = EmbeddingFormat(lambda _: "/embeddings", request, answer)
