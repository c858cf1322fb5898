"""What the OpenAPI document says of routes that read their body themselves, once, instead of through FastAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error", "detail"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        },
        "detail": {
            "type": "object",
            "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
REFUSALS = {
    400: "The request cannot be carried out as written.",
    401: "Missing or unknown API key.",
    402: "Not for what the caller is ready to pay.",
    403: "The key may not do this: its role or its scopes.",
    404: "No such model, route or receipt.",
    409: "The Idempotency-Key was used for another request, or its answer cannot be replayed.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The request cannot be carried out as written.",
    429: "A limit of the key or its organisation is reached, or one of every provider; Retry-After says until when.",
    502: "The model, or every model, failed.",
    503: "No live model, no receipt, or the gateway is stopping.",
    504: "The caller's deadline passed.",
}


def run(body: type[BaseModel], answer: str) -> dict[str, Any]:
    """Keyword arguments of a route that runs the gateway on `body`."""
    return {
        "response_model": None,
        "responses": {200: {"description": answer}, **refusals(*REFUSALS)},
        **_sent(body),
    }


def body(sent: type[BaseModel], *statuses: int) -> dict[str, Any]:
    """Keyword arguments of a route that reads `sent` itself."""
    return {"responses": refusals(*statuses), **_sent(sent)}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route."""
    return {
        status: {"description": REFUSALS[status], "content": {"application/json": {"schema": ERROR}}}
        for status in statuses
    }


def _sent(body: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": _schema(body)}}
    return {"openapi_extra": {"requestBody": {"required": True, "content": content}}}


def _schema(body: type[BaseModel]) -> dict[str, Any]:
    """The body's schema, with the fields that are only read where they are there (`rest`)."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    rest: type[BaseModel] | None = getattr(body, "rest", None)
    if rest is not None:
        more = _schema(rest)
        inlined["properties"] |= more["properties"]
        inlined["additionalProperties"] = more["additionalProperties"]
    return inlined


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with its references resolved, since these bodies have no component of their own."""
    if isinstance(schema, dict):
        reference = schema.get("$ref", "")
        if reference:
            return _inlined(definitions[reference.rsplit("/", 1)[-1]], definitions)
        # What tells the branches of a union apart is in the branches; OpenAPI's own word for it needs components.
        kept = {key: value for key, value in schema.items() if key != "discriminator" or "mapping" not in value}
        return {key: _inlined(value, definitions) for key, value in kept.items()}
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    return schema
