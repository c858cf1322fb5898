from __future__ import annotations

import pytest

from prysm.api.incoming import Incoming
from prysm.errors import Overloaded


def test_bodies_that_come_in_share_a_bound_and_strangers_a_smaller_one() -> None:
    incoming = Incoming(100, 10)
    incoming.take(90, keyless=False)
    incoming.take(10, keyless=True)
    for keyless, number in ((False, 11), (True, 1)):
        with pytest.raises(Overloaded) as caught:
            incoming.take(number, keyless=keyless)
        assert caught.value.retry_after_s == 1.0
    incoming.give_back(90, keyless=False)
    incoming.take(100, keyless=False)
