"""What a gateway commits to of a prompt: its normal form, as docs/proof.md specifies it."""

from __future__ import annotations

import re
from typing import Any

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.ASCII | re.IGNORECASE)
_FILE = ("file_id", "file_url", "filename", "file_data")


def normal_form(given: Any) -> Any:
    """The messages or the inputs in a body, or in what it asks; what has none of the known shapes stays as it is."""
    if isinstance(given, dict):
        name = next((name for name in ("messages", "prompt", "input") if given.get(name) is not None), None)
        if name is None:
            return given
        asked = given[name]
        return [{"role": "user", "content": asked}] if name == "prompt" else normal_form(asked)
    if not isinstance(given, list):
        return [given] if isinstance(given, str) else given
    if given and all(isinstance(item, dict) for item in given):
        return [_message(item) for item in given]
    return [given] if given and all(map(_whole, given)) else given


def _message(given: dict[str, Any]) -> dict[str, Any]:
    calls = given.get("tool_calls")
    form = {
        "role": given.get("role"),
        "content": _content(given, called=bool(calls)),
        "name": None if given.get("role") == "tool" else given.get("name"),
        **_thoughts(given),
        "tool_calls": _each(_call, calls) if calls else None,
        "tool_call_id": given.get("tool_call_id"),
    }
    return {name: value for name, value in form.items() if value is not None or name in {"role", "content"}}


def _content(given: dict[str, Any], *, called: bool) -> Any:
    content = given.get("content")
    if content is None:
        content = given.get("refusal")
    if content in (None, "", []):
        return None if called else ""
    return _each(_part, content)


def _each(form: Any, given: Any) -> Any:
    return [form(item) if isinstance(item, dict) else item for item in given] if isinstance(given, list) else given


def _part(given: dict[str, Any]) -> dict[str, Any]:
    match given:
        case {"type": "text", "text": text}:
            return {"type": "text", "text": text}
        case {"type": "refusal", "refusal": text}:
            return {"type": "text", "text": text}
        case {"type": "image_url", "image_url": {"url": _} as image}:
            return {"type": "image_url", "image_url": _some(image, ("url", "detail"))}
        case {"type": "input_audio", "input_audio": {"data": _, "format": _} as sound}:
            return {"type": "input_audio", "input_audio": _some(sound, ("data", "format"))}
        case {"type": "file", "file": dict() as file}:
            return {"type": "file", "file": _some(file, _FILE)}
    return given


def _some(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _address(given[name]) for name in names if given.get(name) is not None}


def _address(given: Any) -> Any:
    """A data URL with nothing but its media type, in lower case."""
    found = _DATA_URL.match(given) if isinstance(given, str) else None
    return given if found is None else f"data:{found[1].lower()};base64,{given[found.end() :]}"


def _thoughts(given: dict[str, Any]) -> dict[str, Any]:
    blocks = given.get("thinking_blocks")
    if not isinstance(blocks, list) or not blocks:
        return {"reasoning_content": given.get("reasoning_content") or None}
    sealed = [form for block in blocks if (form := _sealed(block)) is not None]
    told = [block.get("thinking") for block in blocks if _sealed(block) is None and isinstance(block, dict)]
    return {
        "reasoning_content": "".join(text for text in told if isinstance(text, str)) or None,
        "thinking_blocks": sealed or None,
    }


def _sealed(block: Any) -> dict[str, Any] | None:
    match block:
        case {"type": "redacted_thinking", "data": data}:
            return {"type": "redacted_thinking", "data": data}
        case {"type": "thinking", "thinking": text, "signature": str(signature)}:
            return {"type": "thinking", "thinking": text, "signature": signature}
    return None


def _call(given: dict[str, Any]) -> dict[str, Any]:
    match given:
        case {"id": id_, "type": "function", "function": {"name": name, "arguments": text}}:
            form = {"id": id_, "type": "function", "function": {"name": name, "arguments": text}}
        case {"id": id_, "type": "custom", "custom": {"name": name, "input": text}}:
            form = {"id": id_, "type": "custom", "custom": {"name": name, "input": text}}
        case _:
            return given
    match given.get("extra_content"):
        case {"google": {"thought_signature": str(signature)}}:
            return form | {"extra_content": {"google": {"thought_signature": signature}}}
    return form


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
