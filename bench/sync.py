"""How ranks start a sample: the group ``before`` of a plan.

``barrier`` is an MPI_Barrier, whose exit skew would be charged to the operation unless local_max is
used; ``window`` spins until an agreed time of the common clock; ``none`` does nothing. A rank that
is late on purpose waits after that, and its start stamp is when it arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..native import BUILTINS, Step, monotonic_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .clock import CommonClock

__all__ = ["LATE_NS", "agree_on_windows", "delay_steps", "spin_step"]

LATE_NS = 1_000
"""A start later than its window by more than this is a miss: a spin ends within 0.1 us."""

_MARGIN_NS = 1_000_000  # for the agreement to reach every rank before the first window opens


def agree_on_windows(
    communicator: Any, clock: CommonClock, samples: int, width_ns: int
) -> NDArray[np.int64]:
    """Return when each of `samples` windows opens on this rank's clock, shape (samples,)."""
    now_ns = int(clock.to_common_ns(np.array([monotonic_ns()]))[0])
    first_ns = communicator.bcast(now_ns + _MARGIN_NS)
    return clock.to_local_ns(first_ns + width_ns * np.arange(samples, dtype=np.int64))


def spin_step(opens_ns: NDArray[np.int64]) -> Step:
    """Return the step that waits for each window."""
    return Step(BUILTINS["spin_until"], (0,), "before", table=opens_ns.reshape(-1, 1))


def delay_steps(delays_ns: NDArray[np.int64]) -> tuple[Step, ...]:
    """Return the step that comes late to each sample, if there are any."""
    if not delays_ns.any():
        return ()
    return (Step(BUILTINS["delay"], (0,), "before", table=delays_ns.reshape(-1, 1)),)
