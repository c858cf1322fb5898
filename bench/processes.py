"""What a process tree used, Postgres and the rest apart."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds so far (user and system, children that ended included) and resident bytes, Postgres apart."""

    cpu_s: float
    postgres_cpu_s: float
    rss: int


def used(pid: int) -> Used:
    """Look at the tree of `pid` now. The kernel counts CPU in ticks, usually of 10 ms."""
    root = psutil.Process(pid)
    cpu = {True: 0.0, False: 0.0}
    rss = 0
    for process in (root, *root.children(recursive=True)):
        try:
            with process.oneshot():
                postgres = "postgres" in process.name()
                cpu[postgres] += sum(process.cpu_times()[:4])
                rss += 0 if postgres else process.memory_info().rss
        except psutil.NoSuchProcess:  # a short-lived child
            continue
    return Used(cpu_s=cpu[False], postgres_cpu_s=cpu[True], rss=rss)
