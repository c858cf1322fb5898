"""Level 1: well signed and canonical, and not of the shape that docs/proof.md gives a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rfc8785
from tests.proof.defects import bad
from tests.proof.made import sealed
from tests.proof.runs import ensemble, original, single

if TYPE_CHECKING:
    from tests.proof.made import Case


RUN = original()["request_id"]


def shaped(change: Any, *, of: Any = single) -> Case:
    """A receipt whose signer put his name to a record changed like that; the summary is the unchanged record's."""
    record, bodies = of()
    case = sealed(record, bodies)
    change(record)
    return sealed(of()[0], bodies, payload=rfc8785.dumps(record)) | {"keys": case["keys"]}


def _misspelt(name: str, path: str, value: Any, more: str = "") -> None:
    """Enter a case in which one field has a value that some languages would take; `more`: where inside it is wrong."""
    *outer, field = path.split(".")

    def change(record: dict[str, Any]) -> None:
        inside = record
        for each in outer:
            inside = inside[each]
        inside[field] = value

    def make() -> Case:
        return shaped(change)

    make.__name__ = name
    make.__doc__ = f"Well signed, but {path} is {value!a}."
    bad(1, "record", f"the field {path}{more} of the record")(make)


_misspelt("amount_with_an_underscore", "cost.nano_usd", "1_0")
_misspelt("amount_in_other_digits", "cost.nano_usd", "٣")
_misspelt("amount_with_an_exponent", "cost.nano_usd", "1e3")
_misspelt("amount_in_base_16", "cost.nano_usd", "0x10")
_misspelt("amount_of_nothing", "cost.nano_usd", "")
_misspelt("amount_with_a_leading_zero", "cost.nano_usd", "03350")
_misspelt("amount_below_nothing", "cost.nano_usd", "-3350")
_misspelt("amount_as_a_number", "cost.nano_usd", 3350)
_misspelt("amount_of_32_digits", "cost.nano_usd", "1" * 32)
_misspelt("confidence_of_nothing", "confidence", "")
_misspelt("confidence_in_base_16", "confidence", "0x1")
_misspelt("confidence_of_two_places", "confidence", "0.70")
_misspelt("confidence_above_1", "confidence", "1.001")
_misspelt("agreement_with_a_line_break", "agreement", "0.667\n")
_misspelt("outcome_that_does_not_exist", "outcome", "splendid")
_misspelt("latency_as_text", "latency_ms", "1243")
_misspelt("latency_below_nothing", "latency_ms", -1)
_misspelt("tokens_as_a_boolean", "usage.input_tokens", value=True)
_misspelt("degraded_by_a_number", "degraded", [1], "[0]")
_misspelt("degraded_by_a_boolean", "degraded", [True], "[0]")
_misspelt("simulated_as_a_number", "simulated", 1)
_misspelt("stages_as_an_object", "stages", {})
_misspelt("commitment_as_text", "commit.prompt", "HMAC-SHA256")
_misspelt("strategy_as_text", "strategy", "single")
_misspelt("cached_as_a_boolean", "cached", value=True)
_misspelt("cached_from_no_run", "cached", {"proof_hash": "sha256:" + 64 * "0"}, ".request_id")
_misspelt(
    "cached_from_a_receipt_without_its_hash", "cached", {"request_id": RUN, "proof_hash": None}, ".proof_hash"
)


@bad(1, "record", "the field outcome of the record")
def outcome_missing() -> Case:
    """Well signed, but the record does not say how the run ended."""
    return shaped(lambda record: record.pop("outcome"))


@bad(1, "record", "the field retention of the record")
def retention_missing() -> Case:
    """Well signed, but the record does not say how long texts are kept."""
    return shaped(lambda record: record.pop("retention"))


@bad(1, "record", "the field policy.bar of the record")
def bar_missing() -> Case:
    """Well signed, but the policy has no bar."""
    return shaped(lambda record: record["policy"].pop("bar"), of=ensemble)


@bad(1, "record", "the field stages[1].digest of the record")
def listed_stage_without_its_digest() -> Case:
    """Well signed, but a stage in the record's list has no digest."""
    return shaped(lambda record: record["stages"][1].pop("digest"), of=ensemble)
