"""What every rank is doing, readable by anyone, also after its death: one small mapped file a rank.

The timed loop itself writes state and iteration with plain stores into the mapping, outside the
clock; the kernel keeps them when the process is stopped, killed or hangs inside MPI. The files lie
in a folder beside the campaign, so that other nodes see them, too.
"""

from __future__ import annotations

import mmap
import os
import shutil
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..native import BUILTINS, Step
from .host import boot_id, started_at

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "IDLE",
    "LOADING",
    "STATES",
    "Board",
    "Status",
    "board_folder",
    "ranks_here",
    "read_board",
    "remove_board",
]

IDLE = "idle"
"""Operation of a rank that the measuring group leaves out."""

LOADING = "load"
"""First word of the operation of a rank that loads the network while others measure."""

STATES = ("between operations", "before", "inside", "after")
"""Where a rank can be: not in the loop; waiting to start; in the operation; past it."""

_WORDS = 5  # pid, number of the case, state, iteration, last beat of the watchdog
_TEXT_BYTES = 160
_BYTES = 8 * _WORDS + 2 * _TEXT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one rank did last."""

    rank: int
    host: str
    boot: str = ""
    """Of the host's kernel: hosts may have the same name."""

    pid: int
    case: int
    """Number of the case within its launch, from 1; 0 before the first."""

    operation: str
    state: int
    """Index into `STATES`."""

    iteration: int
    """Samples begun in this case, warm-up included."""

    beat_ns: int = 0
    """When the process last ran at all: nanoseconds of the host's wall clock."""

    @property
    def measures(self) -> bool:
        """Whether others wait for this rank to get as far as they are."""
        return self.operation != IDLE and self.operation.partition(" ")[0] != LOADING

    @property
    def progress(self) -> tuple[int, int, int]:
        """Ranks that have come further have a larger one."""
        return self.case, self.iteration, self.state


def board_folder(campaign: Path) -> Path:
    """Return where the ranks that write a campaign keep their files."""
    return campaign.with_name(campaign.name + ".progress")


class Board:
    """The file of one rank; made on every rank once the folder exists.

    Parameters
    ----------
    folder : beside the campaign
    rank : of this process
    far : whether ranks of other hosts read it, too. Then it is written back now and then, which on
        some file systems makes the next store into it wait; on one host nobody needs that
    """

    def __init__(self, folder: Path, rank: int, *, far: bool = False) -> None:
        self._far = far
        self.folder = folder
        self.idle = False
        """Whether the group that measures leaves this rank out."""
        self._path = folder / f"rank-{rank}"
        with self._path.open("w+b") as file:
            os.posix_fallocate(file.fileno(), 0, _BYTES)  # a full disk must not end as a bus error
            self._map = mmap.mmap(file.fileno(), _BYTES)
        self._words = np.frombuffer(self._map, np.int64, _WORDS)
        self._words[0] = os.getpid()
        self._write_text(1, f"{socket.gethostname()}\n{boot_id()}")

    def begin(self, case: int, operation: str) -> None:
        """Say that a case begins."""
        self.idle = operation == IDLE
        self._words[1:4] = case, 0, 0
        self._write_text(0, operation)

    def doing(self) -> str:
        """Return what `begin` was told last, and who this is."""
        text = self._map[8 * _WORDS : 8 * _WORDS + _TEXT_BYTES].rstrip(b"\0").decode()
        return f"{text}: rank {self._path.name.removeprefix('rank-')}"

    def rest(self) -> None:
        """Say that the loop was left."""
        self._words[2] = 0

    def around(self, start: tuple[Step, ...], operation: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return the steps of a sample that keeps this file up to date, outside the clock."""
        state, iteration = (self._words[i:].ctypes.data for i in (2, 3))
        store, increment = BUILTINS["store"], BUILTINS["increment"]
        return (
            Step(increment, (iteration,), "before"),
            Step(store, (state, 1), "before"),
            *start,
            Step(store, (state, 2), "before"),
            *operation,
            Step(store, (state, 3), "after"),
        )

    def snapshot(self) -> tuple[int, ...]:
        """Return what changes while this rank gets on; say that it runs, for other nodes, too."""
        self._words[4] = time.time_ns()
        if self._far:
            self._map.flush()
        return tuple(int(word) for word in self._words[:4])

    def silence_s(self) -> float:
        """Return how long the process has not run that ran least lately."""
        beats = [status.beat_ns for status in read_board(self.folder) if status.beat_ns]
        return (time.time_ns() - min(beats)) * 1e-9 if beats else 0.0

    def remove(self) -> None:
        """Delete the file: this rank has ended well."""
        self._path.unlink(missing_ok=True)

    def _write_text(self, slot: int, text: str) -> None:
        first = 8 * _WORDS + slot * _TEXT_BYTES
        data = text.encode()[: _TEXT_BYTES - 1]
        self._map[first : first + _TEXT_BYTES] = data.ljust(_TEXT_BYTES, b"\0")


def read_board(folder: Path) -> list[Status]:
    """Return the status of every rank that left one, by rank; empty without a folder."""
    found = []
    for path in folder.glob("rank-*"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # that rank has ended meanwhile
            continue
        number = path.name.removeprefix("rank-")
        if len(data) != _BYTES or not (number.isascii() and number.isdigit()):
            continue
        pid, case, state, iteration, beat_ns = np.frombuffer(data, np.int64, _WORDS).tolist()
        texts = data[8 * _WORDS :]
        operation, place = (
            texts[i * _TEXT_BYTES : (i + 1) * _TEXT_BYTES].rstrip(b"\0").decode(errors="replace")
            for i in range(2)
        )
        host, _, boot = place.partition("\n")
        found.append(
            Status(
                rank=int(number), host=host, boot=boot, pid=pid, case=case, operation=operation,
                state=state if 0 <= state < len(STATES) else 0, iteration=iteration,
                beat_ns=beat_ns,
            )
        )  # fmt: skip
    return sorted(found, key=lambda status: status.rank)


def ranks_here(folder: Path) -> list[Status]:
    """Return the ranks that left a status and whose processes run, on this host."""
    boot = boot_id()
    return [
        status
        for status in read_board(folder)
        if status.boot == boot and started_at(status.pid) >= 0
    ]


def remove_board(folder: Path) -> None:
    """Delete a folder and what ranks that died left in it."""
    shutil.rmtree(folder, ignore_errors=True)
