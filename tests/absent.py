"""What a machine may lack: its tests are skipped with a line that names the package, and fail under CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(package: str) -> NoReturn:
    """Skip this test for want of a system package; under `CI=true` that is a failure, since CI installs it."""
    reason = f"needs the system package {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
