"""One spelling for what can be written in several ways: formulas, literals, programs, plain text."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings

MAX_CODE_CHARS = 20_000
BRACKETS = frozenset("[{(")

_TOKEN = re.compile(r"\w+(?:[.'’]\w+)*")
_LATEX_NOISE = re.compile(
    r"\\(?:left|right|big|Big|bigg|displaystyle|mathrm|operatorname|limits)(?![a-zA-Z])|\\[,;!: ]"
)
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|mbox)\s*\{([^{}]{0,80})\}")
_SHORT_FRAC = re.compile(r"\\frac(\d)(\d)")
_ATOM_FRAC = re.compile(r"\\frac\{(-?[\w.]{1,20})\}\{(\w{1,20})\}")
_ATOM_BRACES = re.compile(r"([\^_]|\\sqrt)\{(\w)\}")
_ASSIGNED = re.compile(r"^[a-zA-Z](?:\([a-zA-Z]\))?(?:=|\\in(?![a-z]))")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\"]+|['\"]")
_CODE_TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\w+|[^\w\s]")
_CODE_COMMENT = re.compile(r"(?:(?<=\s)|^)(?:#|//)[^\n]*", re.MULTILINE)


def folded(text: str) -> str:
    """Return `text` in NFKC, casefolded: the same words whatever their width, ligatures or case."""
    return unicodedata.normalize("NFKC", text).casefold() if not text.isascii() else text.lower()


def tokens(text: str) -> list[str]:
    """Return the words of folded text, without punctuation."""
    return _TOKEN.findall(text)


def formula(text: str) -> str:
    """Return LaTeX or plain algebra without spacing, sizing and one-letter braces; `x = …` loses its left side."""
    plain = _LATEX_TEXT.sub(r"\1", text).replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    plain = _LATEX_NOISE.sub("", plain).replace("\\cdot", "").replace("$", "").replace("−", "-")
    plain = "".join(plain.split()).rstrip(".")
    plain = _ATOM_BRACES.sub(r"\1\2", _ATOM_FRAC.sub(r"\1/\2", _SHORT_FRAC.sub(r"\\frac{\1}{\2}", plain)))
    return _ASSIGNED.sub("", plain)


def literal(text: str) -> str:
    """Return a list, tuple or dict literal with one spacing and one kind of quotes, a string literal bare."""
    plain = text.strip().strip("`")
    for _ in range(2):  # a model may quote what is quoted already
        if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"" and plain.count(plain[0]) == len("''"):
            plain = plain[1:-1]
    if plain[:1] not in BRACKETS:
        return plain
    return "".join(map(_requoted, _LITERAL.findall(plain))).replace(",]", "]").replace(",}", "}")


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
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return " ".join(code_tokens(code))


def code_tokens(code: str) -> list[str]:
    """Return the tokens of code in any language, line comments left out."""
    return _CODE_TOKEN.findall(_CODE_COMMENT.sub("", code[:MAX_CODE_CHARS]))
