"""One spelling for what formulas make up: sets, tuples, intervals, matrices, equations, inequalities."""

from __future__ import annotations

import re

from prysm.scoring.algebra import value

MAX_CHARS = 400

_LATEX_NOISE = re.compile(
    r"\\(?:left|right|big|Big|bigg|bigl|bigr|displaystyle|limits)(?![a-zA-Z])|(?<!\\)\\[,;!: ]|\\quad|~|\$|"
    r"\{,\}(?=\d{3})|\\[()]"
)
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|mbox|mathrm|operatorname|mathbf|boxed)\s*\{([^{}]{0,80})\}")
_UNIT = re.compile(r"(?<=[\d})])\\(?:text|mathrm|mbox)\s*\{[^{}]{0,40}\}(?:\^\{?[23]\}?)?$")
_SPACE = re.compile(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])|\s+")
_SHORT_FRAC = re.compile(r"\\frac(\d)(\d)")
_ATOM_FRAC = re.compile(r"\\frac\{(-?[\w.]{1,20})\}\{(\w{1,20})\}")
_ATOM_BRACES = re.compile(r"([\^_]|\\sqrt)\{(\w)\}")
_ASSIGNED = re.compile(r"^[a-zA-Z](?:_\w|\([a-zA-Z]\))?(?:=|\\in(?![a-z]))")
_MATRIX = re.compile(r"\\begin\{[pbvBV]?matrix\}(.*)\\end\{[pbvBV]?matrix\}")
_RELATION = re.compile(
    r"[<>!]=|\\neq?(?![a-z])|\\leq?(?![a-z])|\\geq?(?![a-z])|\\lt(?![a-z])|\\gt(?![a-z])|[<>≤≥≠=]"
)
_SPELLED: dict[str, str] = {
    "\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥", "\\lt": "<", "\\gt": ">",
    "<=": "≤", ">=": "≥", "!=": "≠", "\\ne": "≠", "\\neq": "≠",
}  # fmt: skip
_IN_LATEX = str.maketrans({"−": "-", "∪": "\\cup ", "∩": "\\cap ", "±": "\\pm "})
_ROOT = re.compile(r"√(\d+(?:\.\d+)?|\w)")
_MIRRORED = {">": "<", "≥": "≤"}
_OR = re.compile(r"\s+(?:and|or)\s+|\\(?:text|mathrm)\{\s*,?\s*(?:and|or)\s*\}")


def formula(text: str) -> str:
    """Return LaTeX or plain algebra in the spelling of its value; what is not understood, without its spacing.

    `x = …` loses its left side, a list of solutions becomes a set.
    """
    plain = _OR.sub(",", text) if len(text) <= MAX_CHARS else text
    plain = _LATEX_TEXT.sub(r"\1", _UNIT.sub("", plain.strip(" .$")))
    plain = _LATEX_NOISE.sub("", plain.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac"))
    plain = _ROOT.sub(r"\\sqrt{\1}", plain.translate(_IN_LATEX)).replace("√(", "\\sqrt(")
    plain = _SPACE.sub(_gap, plain).rstrip(".")
    plain = _ASSIGNED.sub("", plain)
    return _compound(plain) if len(plain) <= MAX_CHARS else plain


def _gap(space: re.Match[str]) -> str:
    """Keep the space that ends the name of a command."""
    return f"{space[1]} " if space[1] else ""


def _compound(plain: str) -> str:
    for read in (_union, _matrix, _set, _bracketed, _list, _related, _either):
        found = read(plain)
        if found is not None:
            return found
    return _single(plain)


def _single(plain: str) -> str:
    """Return the value of one formula, else its bare spelling."""
    if plain in {"\\infty", "+\\infty", "∞"}:
        return "∞"
    worked = value(plain)
    if worked is not None:
        return worked
    bare = plain.replace("\\cdot", "").replace("\\infty", "∞")
    return _ATOM_BRACES.sub(r"\1\2", _ATOM_FRAC.sub(r"\1/\2", _SHORT_FRAC.sub(r"\\frac{\1}{\2}", bare)))


def _union(plain: str) -> str | None:
    parts = plain.split("\\cup")
    return "∪".join(sorted(map(_compound, parts))) if len(parts) > 1 and all(parts) else None


def _matrix(plain: str) -> str | None:
    match = _MATRIX.fullmatch(plain)
    if match is None:
        return None
    rows = [",".join(map(_single, row.split("&"))) for row in match[1].split("\\\\") if row]
    return f"matrix({';'.join(rows)})"


def _set(plain: str) -> str | None:
    if not (plain.startswith("\\{") and plain.endswith("\\}")):
        return None
    return _solutions(plain[2:-2])


def _list(plain: str) -> str | None:
    return _solutions(plain) if "," in plain and len(_parts(plain)) > 1 else None


def _solutions(plain: str) -> str:
    parts = {_compound(_ASSIGNED.sub("", part)) for part in _parts(plain)}
    return f"{{{','.join(sorted(parts))}}}"


def _bracketed(plain: str) -> str | None:
    """Read a tuple, a point or an interval; which brackets it has counts."""
    if plain[:1] not in {"(", "["} or plain[-1:] not in {")", "]"}:
        return None
    inside = _parts(plain[1:-1])
    if len(inside) < len("ab"):
        return None
    return f"{plain[0]}{','.join(map(_compound, inside))}{plain[-1]}"


def _parts(plain: str) -> list[str]:
    """Split at the commas outside all brackets; a text whose brackets do not match stays whole."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(plain):
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return [plain]
        if sign == "," and depth == 0:
            parts.append(plain[start:at])
            start = at + 1
    return [part for part in (*parts, plain[start:]) if part] if depth == 0 else [plain]


def _related(plain: str) -> str | None:
    """Read an equation or a chain of inequalities, the smaller side first."""
    signs = [_SPELLED.get(sign, sign) for sign in _RELATION.findall(plain)]
    sides = _RELATION.split(plain)
    if not signs or not all(sides):
        return None
    if signs == ["="]:
        return _equation(*sides)
    if any(sign in _MIRRORED for sign in signs):
        signs, sides = [_MIRRORED.get(sign, sign) for sign in reversed(signs)], sides[::-1]
    spelled = list(map(_single, sides))
    return "".join(side + sign for side, sign in zip(spelled, [*signs, ""], strict=True))


def _equation(left: str, right: str) -> str:
    """Spell an equation as what is zero, up to its sign."""
    both = [zero for a, b in ((left, right), (right, left)) if (zero := value(f"({a})-({b})")) is not None]
    return f"0={min(both)}" if both else f"{_single(left)}={_single(right)}"


def _either(plain: str) -> str | None:
    r"""Read `a \pm b` as both of its values."""
    if plain.count("\\pm") != 1:
        return None
    both = {_single(plain.replace("\\pm", sign)) for sign in "+-"}
    return f"{{{','.join(sorted(both))}}}"
