"""Says what is wrong with a TOML file in the file's own words: table, key, what is allowed. Never a value."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

MAX_NAME = 200
MAX_LISTED = 30
_NAMED = frozenset({"providers", "models"})


def complaints(error: ValidationError, raw: Mapping[str, Any], tables: Mapping[str, type[BaseModel]]) -> list[str]:
    """One sentence for each thing that is wrong. `tables` knows the keys of each table; "" is the top level."""
    details = error.errors(include_url=False, include_input=False, include_context=True)
    return [_sentence(detail, raw, tables) for detail in details]


def label(raw: Mapping[str, Any], kind: str, index: int) -> str:
    """Name an entry of an array of tables by its id."""
    entry = raw[kind][index]
    return f'[[{kind}]] "{entry["id"][:MAX_NAME]}"' if has_id(entry) else f'[[{kind}]] without a usable "id"'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "…"?)` when something known is near, else what is known."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f' (did you mean "{near[0]}"?)'
    return f" (known: {', '.join(known) or 'none'})" if len(known) <= MAX_LISTED else ""


def duplicates(raw: Mapping[str, Any]) -> Iterator[str]:
    """Name the ids that one file gives twice."""
    for kind in sorted(_NAMED):
        ids = entry_ids(raw.get(kind))
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            yield f'[[{kind}]] "{name}": the id is given {ids.count(name)} times; ids must be unique'


def dangling(raw: Mapping[str, Any]) -> Iterator[str]:
    """Name the references to providers and models that do not exist."""
    if not (isinstance(raw["providers"], list) and isinstance(raw["models"], list)):
        return  # one complaint about the shape, not one for each name
    providers, models = entry_ids(raw["providers"]), entry_ids(raw["models"])
    for index, entry in enumerate(raw["models"]):
        wanted = entry.get("provider") if isinstance(entry, dict) else None
        if isinstance(wanted, str) and wanted not in providers:
            yield f'{label(raw, "models", index)}: unknown provider "{wanted}"{did_you_mean(wanted, providers)}'
    fallbacks = raw.get("fallbacks")
    for source, targets in fallbacks.items() if isinstance(fallbacks, dict) else ():
        for wanted in (source, *(targets if isinstance(targets, list) else ())):
            if isinstance(wanted, str) and wanted not in models:
                yield f'[fallbacks] "{source}": unknown model "{wanted}"{did_you_mean(wanted, models)}'


def has_id(entry: object) -> bool:
    """Whether this is a table with an id, be it a good one."""
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)


def entries(listing: object) -> list[dict[str, Any]]:
    """Return the tables of what should be an array of tables; what else is in it, the schema refuses."""
    return [entry for entry in listing if isinstance(entry, dict)] if isinstance(listing, list) else []


def entry_ids(listing: object) -> list[str]:
    """Return the ids of an array of tables."""
    return [entry["id"] for entry in entries(listing) if has_id(entry)]


def _sentence(detail: ErrorDetails, raw: Mapping[str, Any], tables: Mapping[str, type[BaseModel]]) -> str:
    table, where, path = _place(detail["loc"], raw)
    key = _key(path)
    match detail["type"]:
        case "extra_forbidden":
            said = f'unknown key "{key}"{did_you_mean(key, tables[table].model_fields)}'
        case _ if key and path[-1] == "[key]":
            said = f'unknown key "{key}": {_rule(detail)}'
        case "missing":
            said = f'missing key "{key}"{_hint(table)}'
        case _:
            said = f'"{key}" {_rule(detail)}' if key else _rule(detail)
    return f"{where}: {said}" if where else said


def _place(loc: tuple[int | str, ...], raw: Mapping[str, Any]) -> tuple[str, str, tuple[int | str, ...]]:
    """Name of the table, how the file writes it, and the path within."""
    match loc:
        case (str(kind), int(index), *rest) if kind in _NAMED:
            return kind, label(raw, kind, index), tuple(rest)
        case (str(kind), str(name), *rest) if kind == "fallbacks":
            return kind, f'[{kind}] "{name}"', tuple(rest)
        case (str(kind), str(name), *rest) if kind == "policies":
            return kind, f"[{kind}.{name}]", tuple(rest)
        case (str(kind), *rest) if rest:
            return kind, f"[{kind}]", tuple(rest)
        case _:
            return "", "", loc


def _key(path: tuple[int | str, ...]) -> str:
    """`("quality", "code")` as `quality.code`, `("capabilities", 2)` as `capabilities[2]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path if step != "[key]")
    return "".join(steps).removeprefix(".")


def _rule(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "dict_type":
            return "must be a table"
        case "list_type" if detail["loc"][0] in _NAMED and len(detail["loc"]) == 1:
            return f"must be an array of tables, each begun with [[{detail['loc'][0]}]]"
        case "list_type" | "tuple_type":
            return "must be an array"
        case "bool_type":
            return "must be true or false"
        case _:
            return detail["msg"].replace("Input should be", "must be").replace("String should", "must")


def _hint(table: str) -> str:
    return '; say extends = "builtin" to change only some keys of a built-in one' if table in _NAMED else ""
