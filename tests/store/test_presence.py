from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from prysm.errors import ConfigError
from prysm.store.presence import Presence, check_writable, departed

KILLED = """
import os, pathlib, sys, uuid
from prysm.store.presence import Presence
presence = Presence(pathlib.Path(sys.argv[1]), uuid.UUID(sys.argv[2]))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "instances"


def killed(folder: Path) -> UUID:
    """The id of a process that was there."""
    instance = uuid4()
    done = subprocess.run([sys.executable, "-c", KILLED, folder, str(instance)], check=False)  # noqa: S603 - ours
    assert done.returncode == -9
    return instance


def gone(folder: Path) -> list[UUID]:
    with departed(folder) as found:
        return found


def test_a_killed_process_is_told_of_once_and_a_live_one_never(folder: Path) -> None:
    instance, lives = killed(folder), Presence(folder, uuid4())
    assert gone(folder) == [instance]
    assert gone(folder) == []
    lives.close()
    assert list(folder.iterdir()) == []


def test_one_that_ended_well_is_not_told_of(folder: Path) -> None:
    Presence(folder, uuid4()).close()
    assert gone(folder) == []


def test_nobody_else_is_told_meanwhile_and_after_a_failure_it_is_told_again(folder: Path) -> None:
    instance = killed(folder)

    def fail() -> None:
        with departed(folder) as found:
            assert found == [instance]
            assert gone(folder) == []
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert gone(folder) == [instance]


def test_in_a_copy_of_the_folder_nobody_is_called_dead(folder: Path, tmp_path: Path) -> None:
    lives, copy = Presence(folder, uuid4()), tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert gone(copy) == []
    assert list(copy.iterdir()) == []
    lives.close()


def test_what_is_no_process_is_left_alone(folder: Path) -> None:
    Presence(folder, uuid4()).close()
    (folder / "notes").touch()
    (folder / str(uuid4())).mkdir()
    assert gone(folder) == []
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/x: .*PRYSM_DATA_DIR"):
        Presence(tmp_path / "file" / "x", uuid4())
    for folder in (tmp_path / "file", Path("/proc")):
        with pytest.raises(ConfigError, match=f"Cannot write in {folder}: .*PRYSM_DATA_DIR"):
            check_writable(folder)
