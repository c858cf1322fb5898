"""Receipts that hold, and receipts of which something cannot be checked, which is no defect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.proof.defects import log, our_entry, receipt
from tests.proof.made import (
    AUDIT,
    AUDIT_TYPE,
    INDEX,
    LOG_KEY,
    NEW_LOG_KEY,
    OLD_KEY,
    ORIGIN,
    SIZE,
    WITNESS,
    WITNESS_NAME,
    b64,
    checkpoint,
    consistency,
    cosigned,
    drawn,
    entry,
    included,
    log_entries,
    remembered,
    sealed,
)
from tests.proof.runs import ANSWER, MESSAGES, OPENINGS, failed, interrupted, recalled, single

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.proof.made import Case, Key

GOOD: dict[str, Callable[[], Case]] = {}
"""Every good receipt by name; `expect` names checks and what each must say: true, or null for "not checked"."""


def good(**checks: bool | None) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Enter a case: its function's name is the file's, its docstring says what it is."""

    def enter(make: Callable[[], Case]) -> Callable[[], Case]:
        about = {"about": " ".join((make.__doc__ or "").split()), "expect": {"checks": checks}}
        GOOD[make.__name__.removesuffix("_").replace("_", "-")] = lambda: about | make()
        return make

    return enter


@good(signature=True, stages=True, inclusion=True)
def one_call() -> Case:
    """One model, one call."""
    return sealed(*single())


@good(signature=True, stages=True, inclusion=True, consistency=None, witnesses=None)
def several_stages() -> Case:
    """Three proposals, of which one failed, a vote and a synthesis."""
    return receipt()


@good(signature=True, stages=True, inclusion=True)
def run_without_an_answer() -> Case:
    """Every model failed: there is no answer and no commitment to one."""
    return sealed(*failed())


@good(signature=True, stages=True, inclusion=True)
def interrupted_run() -> Case:
    """The gateway died in the middle: no stage, no figure and no commitment."""
    return sealed(*interrupted())


@good(signature=True, inclusion=True)
def retired_key_within_its_range() -> Case:
    """Signed by the old key and logged while it was in use."""
    return receipt(signer=OLD_KEY, index=5)


@good(signature=True, stages=True, inclusion=True)
def beside_actions_of_administrators() -> Case:
    """Its neighbours in the log are audit events."""
    case, entries = receipt(), log_entries(our_entry())
    for index in (INDEX - 1, INDEX + 1):
        entries[index] = entry(AUDIT, AUDIT_TYPE, drawn(f"an action {index}"))
    log(case).update(included(entries))
    return case


@good(signature=True, stages=None, inclusion=True)
def without_its_stages() -> Case:
    """The answer of the gateway alone: the stages are not at hand."""
    case = receipt()
    del case["document"]["stages"]
    return case


@good(signature=True, stages=None, inclusion=True)
def without_its_stages_which_were_pruned() -> Case:
    """Older than the gateway keeps stages, as its answer says: that proves nothing about them."""
    case = receipt()
    del case["document"]["stages"]
    case["document"]["stages_pruned"] = True
    return case


@good(signature=True, stages=True, inclusion=None)
def pending() -> Case:
    """Signed a moment ago; the log has not taken it up."""
    case = receipt()
    gone = dict.fromkeys(("index", "size", "inclusion", "checkpoint"))
    case["document"]["proof"]["log"] = {"state": "pending", "origin": ORIGIN} | gone
    return case


@good(signature=None, stages=True, inclusion=None)
def without_a_signature() -> Case:
    """It has neither a signature nor a place in a log, as the first gateways wrote it, and no key is pinned."""
    case = sealed(*single())
    case["document"]["proof"]["envelope"]["signatures"] = []
    case["document"]["proof"]["log"] = None
    case["document"]["keys"] = case["keys"]
    return case | {"keys": None}


@good(signature=True, record=True, stages=True, inclusion=True)
def escape_of_half_a_character_in_letters() -> Case:
    """A name is a backslash and ud83d: six letters, which only look like half a character."""
    record, bodies = single()
    record["answer"]["display"] = "\\ud83d"
    return sealed(record, bodies)


@good(signature=True, record=True, stages=True, inclusion=True)
def keys_beyond_16_bits() -> Case:
    """Keys are sorted by UTF-16 code units: U+10000 comes before U+FF41."""
    record, bodies = single()
    record["evidence"]["features"] |= {"ａ": "1.0000", "𐀀": "0.5000"}
    return sealed(record, bodies)


@good(signature=True, record=True, stages=True, inclusion=True)
def answer_from_the_cache() -> Case:
    """Nobody was called: the answer is that of an earlier run, whose receipt it names."""
    return sealed(*recalled())


@good(signature=True, record=True, inclusion=True)
def without_evidence() -> Case:
    """The first gateways did not write the figures behind the confidence."""
    record, bodies = single()
    del record["evidence"]
    return sealed(record, bodies)


@good(signature=True, record=True, inclusion=True)
def field_of_a_later_gateway() -> Case:
    """The record and a stage have fields that this version does not know."""
    record, bodies = single()
    return sealed(record | {"weather": {"rain": True}}, bodies)


def _rotating(*keys: Key) -> Case:
    """The log's key is being changed: the old one and the new one sign."""
    case = receipt()
    signed = checkpoint(log_entries(our_entry()), key=NEW_LOG_KEY)
    log(case)["checkpoint"] += signed.splitlines()[-1] + "\n"
    case["keys"]["keys"][:1] = [key.listed(ORIGIN) for key in keys]
    return case


RETIRING = replace(LOG_KEY, status="retiring")


@good(signature=True, inclusion=True)
def two_log_keys_during_rotation() -> Case:
    """The checkpoint is signed by the old key and the new one, and both are known."""
    return _rotating(RETIRING, NEW_LOG_KEY)


@good(signature=True, inclusion=True)
def old_log_key_alone_during_rotation() -> Case:
    """The checkpoint is signed by both keys, and the old one is known."""
    return _rotating(LOG_KEY)


@good(signature=True, inclusion=True)
def new_log_key_alone_during_rotation() -> Case:
    """The checkpoint is signed by both keys, and the new one is known."""
    return _rotating(NEW_LOG_KEY)


@good(signature=True, inclusion=True)
def retired_log_key_within_its_range() -> Case:
    """The checkpoint is the last one before the leaf that closed the log's key."""
    case = receipt()
    case["keys"]["keys"][0] = replace(LOG_KEY, to_index=SIZE, status="retired").listed(ORIGIN)
    return case


@good(signature=True, stages=True, inclusion=True)
def keys_that_came_with_it() -> Case:
    """No keys were pinned: those inside the file are used, and that is said."""
    case = receipt()
    case["document"]["keys"] = case["keys"]
    return case | {"keys": None}


@good(signature=None, stages=True, inclusion=None)
def no_keys_at_all() -> Case:
    """Without keys neither signature nor checkpoint can be checked."""
    return receipt() | {"keys": None}


@good(**{"signature": True, "opening:answer": True})
def opened_text() -> Case:
    """The text and the salt are at hand, and are what was committed to."""
    return receipt() | {"openings": OPENINGS, "texts": {"answer": ANSWER}}


@good(**{"opening:prompt": True, "opening:answer": True})
def opened_prompt() -> Case:
    """The messages, in another spelling of their JSON, are what was committed to."""
    asked = json.dumps(MESSAGES, indent=2)
    return receipt() | {"openings": OPENINGS, "texts": {"prompt": asked, "answer": ANSWER}}


@good(**{"opening:prompt": None, "opening:answer": True})
def opened_by_the_answer_itself() -> Case:
    """The gateway's whole answer is given, which holds the openings and the text."""
    message = {"role": "assistant", "content": ANSWER}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return receipt() | {"openings": {"choices": choices, "prysm": {"openings": OPENINGS}}}


@good(inclusion=True, consistency=True)
def grown_since_remembered() -> Case:
    """A smaller log was remembered, and a proof shows that it only grew."""
    entries = log_entries(our_entry())
    return receipt() | {"remembered": remembered(entries[:7]), "consistency": consistency(7, entries)}


@good(inclusion=True, consistency=True)
def older_than_remembered() -> Case:
    """A larger log was remembered, and a proof shows that it grew out of this one."""
    entries = log_entries(our_entry(), size=20)
    return receipt() | {"remembered": remembered(entries), "consistency": consistency(SIZE, entries)}


@good(inclusion=True, consistency=None)
def remembered_without_a_proof_of_growth() -> Case:
    """Another size was remembered, and nothing shows whether both are one history."""
    return receipt() | {"remembered": remembered(log_entries(our_entry())[:7])}


@good(inclusion=True, consistency=True)
def same_checkpoint_as_remembered() -> Case:
    """The checkpoint is the one that was remembered."""
    return receipt() | {"remembered": remembered(log_entries(our_entry()))}


@good(inclusion=True, witnesses=True)
def witnessed() -> Case:
    """A witness that the verifier knows has cosigned the checkpoint."""
    case = receipt() | {"witnesses": {WITNESS_NAME: b64(WITNESS.public)}}
    log(case)["checkpoint"] = cosigned(log(case)["checkpoint"])
    return case


@good(inclusion=True)
def unknown_witness() -> Case:
    """A line by someone unknown under the checkpoint is passed over."""
    case = receipt()
    log(case)["checkpoint"] = cosigned(log(case)["checkpoint"])
    return case
