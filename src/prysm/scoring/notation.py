"""One spelling for what can be written in several ways: literals, programs, plain text."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
import warnings

MAX_CODE_CHARS = 20_000
MAX_LITERAL_CHARS = 4_000
BRACKETS = frozenset("[{(")

_ASCII = str.maketrans({"≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "÷": "/", "−": "-", "∗": "*", "∕": "/"})
"""Signs that have a spelling in ASCII."""
_TOKEN = re.compile(r"\w+(?:[.'’]\w+)*+")
_ASCII_TOKEN = re.compile(r"[a-zA-Z0-9_]+(?:[.'][a-zA-Z0-9_]+)*+")  # the same, found in half the time
_OPERATOR = re.compile(
    r"(?<=[\w)\]])(\s?)([-+*/^<>|&~%!=]{1,3})\1(?=[\w(\[!-])"  # between two operands, alike on both sides
    r"|(?<![\w)])([-−])(?=\d)"  # a sign
    r"|(?<=\w)([+#]+|-)(?!\w)"  # C++, a blood group
    r"|(?<!\w)(!)(?=\w)"
    r"|([±\u2200-\u2233\u2236-\u22ff])"  # mathematical operators, but for `∴` and `∵`
)
_JOINS = frozenset(("-", "/", "&", "=", "->", "=>"))
"""What joins words in prose too: `input/output`, `well-known`; where it alone differs, nothing does."""
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"]+|['\"]")
_CODE_TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\w+|[^\w\s]")
_CODE_COMMENT = re.compile(r"(?:(?<=\s)|^)(?:#|//)[^\n]*", re.MULTILINE)


def folded(text: str) -> str:
    """Return `text` in NFKC, casefolded: the same words and operators whatever their width, ligatures or case."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold().translate(_ASCII)


def tokens(text: str) -> list[str]:
    """Return the words of folded text, without punctuation."""
    return (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text)


def operators(text: str) -> list[str]:
    """Return the operators and signs of a text; a mark that is set as Markdown or joins words is none."""
    return [sign for match in _OPERATOR.finditer(text) if (sign := match[0].strip()) not in _JOINS or match[3]]


def literal(text: str) -> str:
    """Return a list, tuple, set, dict or JSON literal in one spelling, a string literal bare.

    The order of a dict's keys and of a set's members does not count; `1`, `1.0` and `True` stay apart.
    """
    plain = text.strip().strip("`")
    for _ in range(2):  # a model may quote what is quoted already
        if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"" and plain.count(plain[0]) == len("''"):
            plain = plain[1:-1]
    if plain[:1] not in BRACKETS:
        return plain
    parsed = _parsed(plain)
    if parsed is not None:
        return _spelled(parsed)
    return "".join(map(_requoted, _LITERAL.findall(plain))).replace(",]", "]").replace(",}", "}")


def _parsed(plain: str) -> object:
    """Read a literal of Python or JSON; `None` when it is neither, or too long."""
    if len(plain) > MAX_LITERAL_CHARS:
        return None
    for read in (_python, json.loads):
        try:
            return read(plain)
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, SystemError):
            continue
    return None


def _python(plain: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(plain)


def _spelled(value: object) -> str:
    if isinstance(value, dict):
        items = sorted(f"{_spelled(key)}: {_spelled(member)}" for key, member in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_spelled, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)" if len(value) == 1 else f"({inside})"
    return f"{{{', '.join(sorted(map(_spelled, value)))}}}" if isinstance(value, set) else repr(value)


def _requoted(part: str) -> str:
    if len(part) > 1 and part[0] == part[-1] == '"':
        inner = part[1:-1].replace('\\"', '"').replace("'", "\\'")
        return f"'{inner}'"
    return part


def program(code: str) -> str:
    """Return the syntax tree of Python code, the bare tokens of any other: comments and layout do not count."""
    if len(code) <= MAX_CODE_CHARS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.dump(ast.parse(code))
        except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):  # the last when threads parse
            pass
    return " ".join(code_tokens(code))


def code_tokens(code: str) -> list[str]:
    """Return the tokens of code in any language, line comments left out."""
    return _CODE_TOKEN.findall(_CODE_COMMENT.sub("", code[:MAX_CODE_CHARS]))
