from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prysm.scoring.algebra import value
from prysm.scoring.formulas import formula

SIGNS = "0123456789abxi+-*/^_!()[]{}|,.=<&% $"
COMMANDS = r"\frac \sqrt \pm \cup \{ \} \le \pi \begin{pmatrix} \end{pmatrix} \\ \text{or} \infty \sin \log_"
SCRAPS = st.lists(st.sampled_from([*SIGNS, *COMMANDS.split()]), max_size=30).map("".join)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("11(1+\\sqrt{5})", "11\\sqrt5 + 11"),
        ("\\frac{\\sqrt{3}}{3}", "\\frac1{\\sqrt3}"),
        ("\\dfrac{9 \\sqrt{3}}{4}", "9\\sqrt3/4"),
        ("x^2+2x+1", "(x+1)^2"),
        ("2\\frac{1}{2}", "5/2"),
        ("\\log_2 8", "3"),
        ("\\binom{5}{2}", "10"),
        ("\\sin^2 x + \\cos^2 x", "1"),
        ("3 \\pm 2\\sqrt{2}", "3-2\\sqrt2, 3+2\\sqrt2"),
        ("\\{1,2\\}", "x = 2 \\text{ or } x = 1"),
        ("\\left(3,\\frac{\\pi}{2}\\right)", "(3, \\pi/2)"),
        ("(-\\infty,2)\\cup(3,\\infty)", "(3, \\infty) \\cup (-\\infty, 2)"),
        ("\\begin{pmatrix} 1 \\\\ 2/4 \\end{pmatrix}", "\\begin{bmatrix}1\\\\0.5\\end{bmatrix}"),
        ("y = 2x + 3", "3+2x"),
        ("x+y=5", "5-x-y=0"),
        ("2 < x \\le 5", "5 \\geq x > 2"),
        ("10\\sqrt{2}\\text{ cm}", "10\\sqrt{2}"),
        ("\\text{east}", "east"),
    ],
)
def test_formulas_of_one_value_are_spelled_alike(a: str, b: str) -> None:
    assert formula(a) == formula(b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("|x|", "x"),
        ("x-1", "1-x"),
        ("(1,2)", "(2,1)"),
        ("(1,2)", "[1,2]"),
        ("\\sqrt{x}", "x"),
        ("x^{-1}", "-x"),
        ("3 + \\sqrt2", "3 - \\sqrt2"),
        ("x < 3", "x \\le 3"),
        ("east", "seat"),
    ],
)
def test_formulas_of_other_value_are_not(a: str, b: str) -> None:
    assert formula(a) != formula(b)


@pytest.mark.parametrize("bomb", ["9^{9^{9^9}}", "99999!", "(" * 150 + "1" + ")" * 150, "2^{99999999}", "1/0"])
def test_a_formula_made_to_cost_is_not_worked_out(bomb: str) -> None:
    assert value(bomb) is None


@given(st.integers(-99, 99), st.integers(1, 99), st.integers(-99, 99))
def test_rationals_stay_exact(a: int, b: int, c: int) -> None:
    assert value(f"\\frac{{{a}}}{{{b}}}+{c}-{c}") == value(f"({a})/{b}")


@given(SCRAPS)
def test_any_scrap_is_spelled_without_raising(text: str) -> None:
    assert formula(text) == formula(text)
