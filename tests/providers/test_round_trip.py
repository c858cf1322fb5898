"""What is written in a format reads as what was said, and so through every pair of formats."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.providers.conversations import calls
from tests.providers.readers import READERS
from tests.providers.said import Said, normal, numbered, said

from prysm.providers.build import OVER_HTTP
from prysm.providers.failures import Unusable
from prysm.registry.thoughts import without_foreign
from prysm.registry.wire_limits import inexpressible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prysm.core.chat import Message, ModelCall
    from prysm.core.provider import WireFormat

KINDS: tuple[WireFormat, ...] = ("openai", "anthropic", "gemini")
every_kind = pytest.mark.parametrize("kind", KINDS)
quick = settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None
)


def written(kind: WireFormat, call: ModelCall) -> dict[str, Any]:
    """The body as the provider decodes it."""
    body: dict[str, Any] = orjson.loads(orjson.dumps(OVER_HTTP[kind].to_wire(call, stream=False)))
    return body


def through(kind: WireFormat, call: ModelCall) -> Said:
    """What a provider of a format is told by a call."""
    told = READERS[kind](written(kind, call))
    # Gemini has no place for who asks, which is a hint.
    return replace(told, sampling=replace(told.sampling, user=call.sampling.user)) if kind == "gemini" else told


def owed(call: ModelCall, *kinds: WireFormat) -> Said:
    """What a call has to tell through formats: all but seals that are not theirs, and others' thoughts of old."""
    messages: Sequence[Message] = call.messages
    for kind in kinds:
        messages = without_foreign(kind, messages)
        if kind != "gemini":
            messages = [
                replace(message, tool_calls=tuple(replace(made, signature=None) for made in message.tool_calls))
                for message in messages
            ]
    return said(replace(call, messages=tuple(messages)))


def alike(it: Said, *kinds: WireFormat) -> Said:
    """The normal form. Anthropic's takes only some ids of calls."""
    return numbered(normal(it)) if "anthropic" in kinds else normal(it)


@every_kind
@quick
@given(call=calls)
def test_a_call_is_written_without_loss_or_not_at_all(kind: WireFormat, call: ModelCall) -> None:
    field = inexpressible(kind, call)
    if field is None:
        assert alike(through(kind, call), kind) == alike(owed(call, kind), kind)
    elif kind != "openai":
        with pytest.raises(Unusable) as caught:
            written(kind, call)
        assert field in caught.value.why


@pytest.mark.parametrize(("first", "then"), list(permutations(KINDS, 2)))
@quick
@given(call=calls)
def test_a_call_survives_every_pair_of_formats(first: WireFormat, then: WireFormat, call: ModelCall) -> None:
    assume(inexpressible(first, call) is None)
    assume(inexpressible(then, call) is None)
    told = through(first, call)
    again = replace(
        call,
        messages=told.messages,
        sampling=told.sampling,
        toolbox=told.toolbox,
        response_format=told.response_format,
    )
    assert inexpressible(then, again) is None
    assert alike(through(then, again), first, then) == alike(owed(call, first, then), first, then)
