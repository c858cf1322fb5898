"""`POST /v1/proof/verify`: a check for convenience of whatever receipt somebody sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prysm.errors import InvalidRequest
from prysm.proof.defect import Defect
from prysm.proof.document import NoReceipt, load, require_receipt
from prysm.proof.verify import verify_bytes, verify_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prysm.api.services import KeysDocument

MOST_BYTES = 1_000_000
MOST_KEYS = 64
"""Every log key among them is tried on the checkpoint; a stranger's list is not to cost us seconds."""
CAUTION = (
    "This is the word of a server, and proves nothing to a stranger. Check the receipt on your own machine, against "
    "keys that you pinned: prysm proof verify FILE --keys keys.json"
)


def judged(raw: bytes, ours: KeysDocument) -> dict[str, Any]:
    """The report on a receipt document, checked with the `keys` in it, else with `ours`.

    Takes milliseconds, so that it belongs in a thread. Raises `InvalidRequest` for what is no receipt at all.
    """
    try:
        return _judged(raw, ours)
    except NoReceipt as error:
        raise InvalidRequest(
            f"The body is no receipt: {error}. Send what `prysm proof get ID --all` prints."
        ) from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply to be a receipt.") from None


def _judged(raw: bytes, ours: KeysDocument) -> dict[str, Any]:
    try:
        document = require_receipt(load(raw))
    except NoReceipt:
        raise
    except Defect:
        return _said(verify_bytes(raw).as_json(), given=False)  # a repeated key is a failed check
    given = document.get("keys")
    _few(given)
    openings, texts = _object(document, "openings"), _object(document, "texts")
    report = verify_document(
        {**document, "keys": ours if given is None else given},
        openings=openings,
        texts=None if texts is None else {label: _bytes(text) for label, text in texts.items()},
    )
    return _said(report.as_json(), given=given is not None)


def _said(report: dict[str, Any], *, given: bool) -> dict[str, Any]:
    return report | {"keys_from": "request" if given else "gateway", "caution": CAUTION}


def _few(keys: object) -> None:
    listed = keys.get("keys") if isinstance(keys, dict) else None
    if isinstance(listed, list) and len(listed) > MOST_KEYS:
        raise InvalidRequest(f"'keys': send at most {MOST_KEYS}, or leave it out for ours.", param="keys")


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = document.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise InvalidRequest(f"'{name}' must be an object with 'prompt' or 'answer' in it.", param=name)


def _bytes(text: Any) -> bytes:
    """A text as it was received, or JSON in any spelling."""
    return text.encode(errors="surrogatepass") if isinstance(text, str) else json.dumps(text).encode()
