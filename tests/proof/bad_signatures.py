"""Level 1: documents, signatures, hashes and summaries that are not right."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import rfc8785
from tests.proof.defects import bad, envelope, flipped, forged, receipt
from tests.proof.made import LOG_KEY, LOG_TYPE, NEW_KEY, OLD_KEY, STRANGER, b64, sha256
from tests.proof.runs import ensemble, single

if TYPE_CHECKING:
    from tests.proof.made import Case


@bad(1, "signature", "not one of the key")
def wrong_key() -> Case:
    """Signed by a stranger under the keyid of the gateway."""
    case = receipt(signer=STRANGER)
    envelope(case)["signatures"][0]["keyid"] = NEW_KEY.kid
    return case


@bad(1, "signature", "not among the known keys")
def unknown_key() -> Case:
    """Signed by a stranger under his own keyid, which the pinned keys do not have."""
    return receipt(signer=STRANGER)


@bad(1, "signature", "signs no receipts")
def key_of_the_wrong_use() -> Case:
    """Signed by the log's key, which is not for receipts."""
    return receipt(signer=LOG_KEY)


@bad(1, "signature", "is not that of the key")
def another_key_published_under_the_kid() -> Case:
    """The keys list a stranger's key under the gateway's kid, which is no hash of it."""
    case = receipt(signer=STRANGER)
    envelope(case)["signatures"][0]["keyid"] = NEW_KEY.kid
    case["keys"]["keys"][2]["public"] = b64(STRANGER.public)
    case["document"]["keys"] = case["keys"]
    return case | {"keys": None}


@bad(1, "signature", "not one of the key")
def altered_decimal() -> Case:
    """The confidence was raised from 0.913 to 0.993, and hash and summary mended."""
    return forged(lambda record: record.update(confidence="0.993"))


@bad(1, "signature", "not one of the key")
def altered_cost() -> Case:
    """The cost lost a digit."""
    return forged(lambda record: record["cost"].update(nano_usd="74900"))


@bad(1, "signature", "not one of the key")
def altered_model() -> Case:
    """Another model is named as the one that answered."""
    return forged(lambda record: record["answer"].update(model="mid"))


@bad(1, "signature", "not one of the key")
def altered_outcome() -> Case:
    """A degraded run was made to look like a good one."""
    return forged(lambda record: record.update(outcome="ok", degraded=[]))


@bad(1, "signature", "not one of the key")
def flipped_bit_in_the_signature() -> Case:
    """One bit of the signature is another."""
    case = receipt()
    signature = envelope(case)["signatures"][0]
    signature["sig"] = b64(flipped(base64.b64decode(signature["sig"])))
    return case


@bad(1, "signature", "not one of the key")
def truncated_signature() -> Case:
    """The signature has 63 bytes."""
    case = receipt()
    signature = envelope(case)["signatures"][0]
    signature["sig"] = b64(base64.b64decode(signature["sig"])[:-1])
    return case


@bad(1, "signature", "not one of the key")
def empty_signature() -> Case:
    """A keyid with an empty signature."""
    case = receipt()
    envelope(case)["signatures"][0]["sig"] = ""
    return case


@bad(1, "document", "the signature is not base64")
def signature_not_base64() -> Case:
    """The signature has a line break in its base64, as lenient decoders allow."""
    case = receipt()
    signature = envelope(case)["signatures"][0]
    signature["sig"] = signature["sig"][:40] + "\n" + signature["sig"][40:]
    return case


@bad(1, "document", "a receipt has one signature")
def two_signatures_of_which_none_matches() -> Case:
    """Two signatures, by both receipt keys, over something else."""
    case = receipt()
    envelope(case)["signatures"] = [{"keyid": key.kid, "sig": b64(key.sign(b"else"))} for key in (OLD_KEY, NEW_KEY)]
    return case


@bad(1, "signature", "not one of the key")
def signature_over_the_bare_payload() -> Case:
    """The payload was signed without the pre-authentication encoding of DSSE."""
    case = receipt()
    payload = rfc8785.dumps(ensemble()[0])
    envelope(case)["signatures"][0]["sig"] = b64(NEW_KEY.sign(payload))
    return case


@bad(1, "signature", "unknown payload type")
def payload_type_changed() -> Case:
    """The envelope names the payload type of log statements, which is not the one that was signed."""
    case = receipt()
    envelope(case)["payloadType"] = LOG_TYPE
    return case


@bad(1, "signature", "unknown payload type")
def signed_under_another_payload_type() -> Case:
    """Well signed, but as a log statement: a signature for one use must not serve another."""
    return receipt(payload_type=LOG_TYPE)


@bad(1, "proof_hash", "the payload hashes to")
def proof_hash_changed() -> Case:
    """The hash beside the payload is that of other bytes."""
    case = receipt()
    case["document"]["proof"]["proof_hash"] = sha256(b"else")
    return case


@bad(1, "proof_hash", "the payload hashes to")
def proof_hash_in_capitals() -> Case:
    """The hash has one spelling, and this is another."""
    case = receipt()
    proof = case["document"]["proof"]
    proof["proof_hash"] = "sha256:" + proof["proof_hash"].removeprefix("sha256:").upper()
    return case


@bad(1, "entry", "the summary is forged")
def summary_forged() -> Case:
    """The summary beside the payload shows another cost."""
    case = receipt()
    case["document"]["entry"]["cost_usd"] = 0.0
    return case


@bad(1, "entry", "the summary is forged")
def summary_with_one_where_true_belongs() -> Case:
    """1 is not true, though some languages take one for the other."""
    case = receipt()
    case["document"]["entry"]["simulated"] = 1
    return case


@bad(1, "request_id", "not of")
def replayed_id() -> Case:
    """A good receipt of one run, handed out under the id of another."""
    case = receipt()
    case["document"]["request_id"] = single()[0]["request_id"]
    return case


@bad(1, "request_id", "not of")
def receipt_of_another_run_than_was_asked_for() -> Case:
    """A good receipt in itself; the verifier was asked about another run."""
    return receipt() | {"request_id": single()[0]["request_id"]}


@bad(1, "document", "the payload is not base64")
def payload_not_base64() -> Case:
    """The payload has letters that base64 does not have."""
    case = receipt()
    envelope(case)["payload"] = envelope(case)["payload"].replace("e", "%")
    return case


@bad(1, "document", "the payload is not base64")
def payload_in_the_base64_of_addresses() -> Case:
    """The payload is in base64url, which is another alphabet, and without padding."""
    case = receipt()
    envelope(case)["payload"] = envelope(case)["payload"].rstrip("=") + "_-"
    return case


@bad(1, "document", "unknown proof version")
def proof_version_of_the_future() -> Case:
    """The document is of a version that this verifier cannot know."""
    case = receipt()
    case["document"]["proof"]["version"] = 3
    return case


@bad(1, "document", "stands twice in one object")
def duplicate_key_in_the_document() -> Case:
    """The file names its payload twice, and readers differ in which they take."""
    case = receipt()
    file = json.dumps(case.pop("document"))
    return case | {"file": file.replace('"payload":', '"payload": "e30=", "payload":')}


@bad(1, "request_id", "not of")
def byte_order_mark_before_the_id() -> Case:
    """The document's id has U+FEFF before it, which some languages trim."""
    case = receipt()
    case["document"]["request_id"] = "\ufeff" + case["document"]["request_id"]
    return case


@bad(1, "request_id", "not of")
def control_character_after_the_id() -> Case:
    """The document's id has U+001F after it, which other languages trim."""
    case = receipt()
    case["document"]["request_id"] += "\x1f"
    return case


def _with_unread(text: str) -> Case:
    """A good receipt with one field more, which nobody reads."""
    case = receipt()
    return case | {"file": f'{{"more": {text}, ' + json.dumps(case.pop("document"))[1:]}


@bad(1, "document", "beyond 53 bits")
def integer_of_5000_digits_in_the_document() -> Case:
    """A field that nobody reads holds an integer that some readers cannot."""
    return _with_unread("1" * 5_000)


@bad(1, "document", "beyond a double")
def number_beyond_a_double_in_the_document() -> Case:
    """A field that nobody reads holds a number that some readers take for infinity."""
    return _with_unread("1e400")


@bad(1, "document", "nested")
def deep_nesting_in_the_document() -> Case:
    """A field that nobody reads holds three hundred lists in each other."""
    return _with_unread("[" * 300 + "]" * 300)


@bad(1, "document", "half a character")
def lone_surrogate_in_the_document() -> Case:
    """A field that nobody reads holds half a character."""
    return _with_unread('"\\ud83d"')


@bad(1, "signature", "carries no signature")
def stripped_with_pinned_keys() -> Case:
    """Signature and place in the log were taken away, and anything could be written into the record."""
    case = forged(lambda record: record.update(confidence="0.999"))
    envelope(case)["signatures"] = []
    case["document"]["proof"]["log"] = None
    return case


@bad(1, "signature", "is gone")
def signature_taken_away() -> Case:
    """The signature was removed to make it look like a receipt from before signing; it still has a leaf."""
    case = receipt()
    envelope(case)["signatures"] = []
    return case
