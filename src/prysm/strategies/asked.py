"""One call as a strategy wants it, and what of the caller's wishes goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prysm.core.chat import ModelCall
from prysm.core.values import dataclass
from prysm.registry.cost import output_cap

if TYPE_CHECKING:
    from prysm.core.chat import Message, Sampling
    from prysm.core.model import Model
    from prysm.core.plan import ChatRequest
    from prysm.core.run import StageKind
    from prysm.core.tools import ResponseFormat, Toolbox

SHAPED: frozenset[StageKind] = frozenset({"answer", "sample", "propose", "escalate", "aggregate", "revise"})
"""Calls whose text may become the answer: they get the caller's tools and format, the others get neither."""
ANSWERS: frozenset[StageKind] = frozenset({"answer", "sample", "propose", "escalate", "revise"})
"""Kinds of calls whose text answers the request."""
WRITTEN: frozenset[StageKind] = frozenset({"aggregate", "revise"})
"""Calls that make one text of texts: by then it is decided that no tool is called."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call. `purpose` is what it is for, which of a repair is that of the call it repairs.

    `shown`: the caller sees it being written, as that version of the answer.
    """

    purpose: StageKind
    kind: StageKind
    model: Model
    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int
    parents: tuple[int, ...]
    shown: int | None
    note: str | None

    def call(self, request: ChatRequest, cap: int | None, until: float | None) -> ModelCall:
        """The call that goes out; `cap` is the plan's on its output, `until` when the deadline passes."""
        sampling = self.sampling
        if cap is not None and (most := output_cap(self.model, cap)) != sampling.max_tokens:
            sampling = replace(sampling, max_tokens=most)
        toolbox, form = shape(request, self.purpose)
        return ModelCall(
            self.model, self.messages, sampling, self.sample, toolbox, form, until, None, request.embed
        )


def shape(request: ChatRequest, purpose: StageKind) -> tuple[Toolbox | None, ResponseFormat | None]:
    """The tools and the format of the answer that go with a call."""
    if purpose not in SHAPED:
        return None, None
    box = request.toolbox
    if box is not None and purpose in WRITTEN:
        box = replace(box, choice="none")  # kept, for providers want to know the tools that the conversation called
    return box, request.response_format


def is_shaped(request: ChatRequest) -> bool:
    """Whether answers must fit something: then they are compared as data where they can be, and checked."""
    return request.toolbox is not None or request.response_format is not None
