"""Become a Postgres program that ends when its parent ends. Run as a script: `launch.py PARENT_PID PROGRAM ARG…`.

It stands between the gateway and Postgres because this must happen in the new process, and Python code between the
fork and the exec of a threaded process can deadlock. Standard library only, so that it starts in milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

NO_NAMESPACE = 77
"""Exit status: started as root, and this machine refuses user namespaces."""

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


def become_unprivileged() -> None:
    """Enter a user namespace in which this process is not root; Postgres refuses to run as root.

    Outside it stays root, so it can use a folder that only root can open and no file mode has to change
    (user_namespaces(7)). The identity is one that the password file knows, since initdb looks up its name.
    """
    user = next(account.pw_uid for account in pwd.getpwall() if account.pw_uid != 0)
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "gid_map").write_text(f"{user} {gid} 1")
    (own / "uid_map").write_text(f"{user} {uid} 1")


def die_with(parent: int) -> None:
    """Ask Linux for a SIGINT (Postgres: fast shutdown) when the thread that started us ends (prctl(2)).

    The request is forgotten when credentials change, so it comes after the namespace.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:  # the parent was gone before we asked
        sys.exit(1)


def main(parent: str, *command: str) -> None:
    """Replace this process by `command`."""
    if os.geteuid() == 0:
        try:
            become_unprivileged()
        except (OSError, AttributeError):  # no such call on macOS
            sys.exit(NO_NAMESPACE)
    if sys.platform == "linux":
        die_with(int(parent))
    os.execv(command[0], command)  # noqa: S606  the whole purpose; the caller passes an absolute path


if __name__ == "__main__":
    main(*sys.argv[1:])
