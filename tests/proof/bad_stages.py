"""Level 2: stages that are not those of the record, or are not in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rfc8785
from tests.proof.defects import bad, receipt
from tests.proof.made import answered, sealed, sha256, stage_digest
from tests.proof.runs import ensemble, interrupted

if TYPE_CHECKING:
    from tests.proof.made import Case


@bad(2, "stages", "stage 0 hashes to")
def swapped_stages() -> Case:
    """Two proposals changed places."""
    case = receipt()
    stages = case["document"]["stages"]
    stages[0], stages[1] = stages[1], stages[0]
    return case


@bad(2, "stages", "the record lists 5 stages")
def missing_stage() -> Case:
    """The failed proposal was left out."""
    case = receipt()
    del case["document"]["stages"][2]
    return case


@bad(2, "stages", "the record lists 5 stages")
def extra_stage() -> Case:
    """A stage was added that the record does not list."""
    case = receipt()
    case["document"]["stages"].append(case["document"]["stages"][0])
    return case


@bad(2, "stages", "stage 2 hashes to")
def altered_stage_body() -> Case:
    """A failed call was made to look like a good one, and its digest mended."""
    case = receipt()
    body = json.loads(ensemble()[1][2]) | {"status": "ok", "error": None}
    case["document"]["stages"][2] = answered(case["document"]["request_id"], rfc8785.dumps(body))
    return case


@bad(2, "stages", "the body of stage 1 is not base64")
def stage_not_base64() -> Case:
    """The body of a stage is no base64."""
    case = receipt()
    case["document"]["stages"][1]["body"] = "?"
    return case


def _resealed(stage: int, **changes: Any) -> Case:
    """Well signed over a stage that is itself wrong."""
    record, bodies = ensemble()
    bodies[stage] = rfc8785.dumps(json.loads(bodies[stage]) | changes)
    record["stages"][stage]["digest"] = stage_digest(bodies[stage])
    if stage == len(bodies) - 1:
        record["head"] = stage_digest(bodies[stage])
    return sealed(record, bodies)


@bad(2, "stages", "does not come before it")
def parent_that_comes_later() -> Case:
    """Well signed, but a proposal names the vote over it as its parent."""
    return _resealed(0, parents=[ensemble()[0]["stages"][3]["digest"]])


@bad(2, "stages", "does not come before it")
def parent_that_is_no_stage() -> Case:
    """Well signed, but the synthesis names a parent that the record does not list."""
    return _resealed(4, parents=[sha256(b"no stage")])


@bad(2, "stages", "parents")
def parents_as_an_object() -> Case:
    """Well signed, but the parents of the vote are the keys of an object."""
    return _resealed(3, parents={ensemble()[0]["stages"][0]["digest"]: 1})


@bad(2, "stages", "parents")
def parents_as_an_empty_object() -> Case:
    """Well signed, but the parents of a proposal are no list."""
    return _resealed(0, parents={})


@bad(2, "stages", "parents")
def parents_as_text() -> Case:
    """Well signed, but the parents of a proposal are an empty string."""
    return _resealed(0, parents="")


@bad(2, "stages", "parents")
def parent_that_is_a_number() -> Case:
    """Well signed, but a parent is named by its number."""
    return _resealed(4, parents=[3])


@bad(2, "stages", "not a list")
def given_stages_as_an_object() -> Case:
    """The stages beside a record that lists none are an empty object."""
    case = sealed(*interrupted())
    case["document"]["stages"] = {}
    return case


@bad(2, "stages", "stage 1 is out of place")
def stage_with_the_number_of_another() -> Case:
    """Well signed, but the second stage calls itself the third."""
    return _resealed(1, i=2)


@bad(2, "stages", "stage 1 is out of place")
def stage_of_another_kind_than_listed() -> Case:
    """Well signed, but what the record lists as a proposal calls itself an answer."""
    return _resealed(1, kind="answer")


@bad(2, "stages", "not the digest of the last stage")
def head_is_not_the_last_stage() -> Case:
    """Well signed, but the head is the digest of the vote."""
    record, bodies = ensemble()
    record["head"] = record["stages"][3]["digest"]
    return sealed(record, bodies)


@bad(2, "stages", "no floating point number")
def float_in_a_stage() -> Case:
    """Well signed, but a stage holds a floating point number."""
    record, bodies = ensemble()
    bodies[0] = bodies[0].replace(b'"sample":0', b'"sample":0.5')
    record["stages"][0]["digest"] = stage_digest(bodies[0])
    return sealed(record, bodies)
