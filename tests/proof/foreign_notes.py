"""Notes that other software signed, and verifier keys in the form that they come in: `name+key id+base64`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

NOTES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "notes.json").read_text())


def verifier_key(text: str) -> tuple[str, str, int, bytes]:
    """Name, key id in hex, algorithm byte and public key."""
    name, key_id, encoded = text.split("+", 2)
    data = base64.b64decode(encoded)
    return name, key_id, data[0], data[1:]
