"""What a round costs the machine: processor time of the three sides, and memory of the server."""

import os
import resource
import time
from pathlib import Path
from typing import NamedTuple


class Failed(Exception):
    """An operation could not be measured: something was answered that should not be, or not at all."""


TICKS = os.sysconf("SC_CLK_TCK")


def processor_time(pid: int, with_ended_children: bool = False) -> float:
    """Seconds of processor time that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended since it was listed; its parent has its time by now
    return sum(map(int, fields[11:15] if with_ended_children else fields[11:13])) / TICKS


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Weight(NamedTuple):
    """Memory in MiB: what a process has alone, and its part of what it shares."""

    all: float
    own: float
    """Without the pages of files, such as those of its program, which the system reads again when it needs their room."""


class Meter:
    """Reads what the server, its Postgres and the load generators have used."""

    def __init__(self, server: int, postmaster: int) -> None:
        self.server, self.postmaster, self.heaviest = server, postmaster, Weight(0.0, 0.0)

    def read(self) -> dict[str, float]:
        """Seconds of processor time so far. The postmaster counts its children that have ended."""
        postgres = processor_time(self.postmaster, with_ended_children=True)
        postgres += sum(processor_time(child) for child in children(self.postmaster))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"postgres": postgres, "rapport": processor_time(self.server), "generator": used.ru_utime + used.ru_stime}

    def weigh(self) -> Weight:
        """The memory of the server."""
        lines = Path(f"/proc/{self.server}/smaps_rollup").read_text().splitlines()
        kibibytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        weight = Weight(kibibytes["Pss"] / 1024, kibibytes["Pss_Anon"] / 1024)
        self.heaviest = max(self.heaviest, weight)
        return weight

    def rest(self) -> Weight:
        """The memory of the server when it has given back what it needed to start: that it no longer does. What was before
        does not count as load."""
        before, now = Weight(float("inf"), 0.0), self.weigh()
        while now.all < before.all - 0.1:
            time.sleep(2)
            before, now = now, self.weigh()
        self.heaviest = now
        return now
