from __future__ import annotations

import pytest

from prysm.scoring.surface import hedging

HEDGES = """I think|I believe|I'm not sure|not sure|not certain|maybe|perhaps|possibly|probably|might be|could be|
it seems|I guess|unclear|hard to say|as far as I know|don't know|do not know"""


@pytest.mark.parametrize("hedge", HEDGES.replace("\n", "").split("|"))
def test_every_hedge_is_found_before_the_text_is_searched(hedge: str) -> None:
    assert hedging(f"So, {hedge}, 7. That is all.") == pytest.approx(1 / 2)


def test_words_that_hold_a_hedge_are_none() -> None:
    assert hedging("He knows that. Maybelline sells it.") == 0
