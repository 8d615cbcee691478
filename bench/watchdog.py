"""Notice that nothing moves any more, or that a library failed, and say who has not arrived.

A thread of every rank looks at the rank's own board. It needs no MPI, for MPI may be what hangs.
NCCL tells of a lost peer only to those who ask, while the operation waits for ever: it asks.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from .board import STATES, Board, Status, read_board

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Heeded", "Watchdog", "describe_board"]

_LOOKS_PER_TIMEOUT = 20
_TURN_S = 1.5  # rank 0 speaks first; should it be the one that is stopped, rank 1 does, then others
_MOST_NAMED = 20
_BETWEEN = 10  # times the timeout between operations


class Heeded(Protocol):
    """Something that may fail while the measurement waits for it."""

    def failure(self) -> str:
        """Return why it failed, "" while it has not; for any thread."""
        ...

    def abort(self) -> None:
        """End it, whatever waits for it."""
        ...


class Watchdog:
    """Calls `alarm` once when this rank's board has not changed for `timeout_s`.

    A rank that others' operations leave out sleeps until they are done: as long as it does, the
    boards of all ranks count as its own.

    Parameters
    ----------
    board : this rank's
    rank : other ranks than 0 wait a little longer, so that one speaks
    timeout_s : seconds
    alarm : called in the watchdog's thread with the seconds in which nothing moved; does not return
        to the measurement
    fail : likewise, with the reason and what aborts it, once something heeded has failed
    """

    def __init__(
        self,
        board: Board,
        rank: int,
        timeout_s: float,
        alarm: Callable[[float], None],
        fail: Callable[[str, Callable[[], None]], None] | None = None,
    ) -> None:
        self._board, self._alarm, self._fail = board, alarm, fail
        self._heeded: tuple[Heeded, ...] = ()
        self._timeout_s = timeout_s + _TURN_S * min(rank, 2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def heed(self, *heeded: Heeded) -> None:
        """Ask these from now on, and no others, whether they have failed."""
        self._heeded = heeded

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        seen, since_s = self._look(), time.monotonic()
        while not self._ended.wait(self._timeout_s / _LOOKS_PER_TIMEOUT):
            for one in self._heeded:
                if self._fail and (reason := one.failure()):
                    self._fail(reason, one.abort)
                    return
            now = self._look()
            if now != seen:
                seen, since_s = now, time.monotonic()
                continue
            patience_s = self._patience_s(now[0])
            if time.monotonic() - since_s >= patience_s:
                self._alarm(patience_s)
                return

    def _look(self) -> tuple[tuple[int, ...], list[tuple[int, int, int]]]:
        own = self._board.snapshot()
        everyone = read_board(self._board.folder) if self._board.idle else []
        return own, [status.progress for status in everyone]

    def _patience_s(self, snapshot: tuple[int, ...]) -> float:
        """Time without change that is a hang.

        Between operations, buffers are filled and verified and rank 0 writes: no step counts that.
        There only another rank whose process does not run at all is noticed as early.
        """
        if snapshot[2] != 0 or self._board.silence_s() > self._timeout_s / 2:
            return self._timeout_s
        return _BETWEEN * self._timeout_s


def describe_board(
    statuses: Sequence[Status], ranks: int | None = None, silent_s: float = float("inf")
) -> list[str]:
    """Return lines that say where every rank is and who has not arrived.

    Parameters
    ----------
    statuses : of the ranks that left one
    ranks : how many there should be, where known
    silent_s : a rank whose process has not run for so much longer than another's is named
    """
    if not statuses:
        return ["no rank left a status"]
    busy = [status for status in statuses if status.measures] or list(statuses)
    front = max(status.progress for status in busy)
    behind = [status for status in busy if status.progress < front]
    lines = []
    for (case, operation, state, iteration), count in sorted(
        Counter((s.case, s.operation, s.state, s.iteration) for s in statuses).items(), reverse=True
    ):
        some = "rank " if count == 1 else "ranks"
        lines.append(
            f"{count:>6} {some} case {case} {operation or '(none yet)'}: {STATES[state]}, "
            f"iteration {iteration}"
        )
    lines += [
        f"not arrived: {_name(status)}: {STATES[status.state]}" for status in behind[:_MOST_NAMED]
    ]
    if len(behind) > _MOST_NAMED:
        lines.append(f"not arrived: {len(behind) - _MOST_NAMED} more ranks")
    latest_ns = max(status.beat_ns for status in statuses)
    for status in statuses:
        silence_s = (latest_ns - status.beat_ns) * 1e-9
        if silence_s > silent_s:
            lines.append(f"stopped: {_name(status)}: the process has not run for {silence_s:.1f} s")
    missing = sorted(set(range(ranks or 0)) - {status.rank for status in statuses})
    if missing:
        lines.append(f"without a status: ranks {', '.join(map(str, missing[:_MOST_NAMED]))}")
    return lines


def _name(status: Status) -> str:
    return f"rank {status.rank} on {status.host}, pid {status.pid}"
