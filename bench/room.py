"""Buffers for the largest cases that fit; those that do not are told apart, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .buffers import BufferPool
from .collectives import region_bytes
from .driver import open_driver
from .errors import DeviceMemoryError
from .sample import Measurement, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from .case import Case

__all__ = ["failed_measurement", "make_room"]

_WORKING_BYTES = 512 << 20
"""What must be left on a device: verification works in chunks of 2 MiB with a dozen intermediate
arrays, and NCCL takes some hundred MiB when it connects ranks, after the buffers are there."""


def make_room(
    communicator: Any,
    cases: tuple[Case, ...],
    allocate: Callable[[int], Any] | None = None,
    ranks: int | None = None,
) -> tuple[BufferPool, dict[Case, str]]:
    """Return buffers as large as fit on every rank, and why which cases do not. Collective.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    cases : non-empty; all of one memory
    allocate : as `BufferPool` takes it
    ranks : of one group, where `communicator` holds several

    Raises
    ------
    DeviceMemoryError
        If not even the smallest case fits.
    """
    failed: dict[Case, str] = {}
    sizes = {case: region_bytes(case, ranks or communicator.size) for case in cases}
    for size in sorted(set(sizes.values()), reverse=True):
        pool, error = _try(size, cases[0].memory, allocate)
        errors = communicator.allgather(None if error is None else str(error))
        found = {rank: text for rank, text in enumerate(errors) if text}
        if pool is not None and not found:
            return pool, failed
        rank, text = next(iter(found.items()))
        failed |= {case: f"rank {rank}: {text}" for case in cases if sizes[case] == size}
        del pool
    raise error or DeviceMemoryError(size, text)


def _try(
    size: int, memory: str, allocate: Callable[[int], Any] | None
) -> tuple[BufferPool | None, DeviceMemoryError | None]:
    try:
        pool = BufferPool(size, memory, allocate)
    except DeviceMemoryError as error:
        return None, error.with_traceback(None)  # a traceback would keep what was allocated
    if memory == "device" and (left := open_driver().free_bytes()) < _WORKING_BYTES:
        reason = f"that leaves {left} B, fewer than the {_WORKING_BYTES} B that the rest needs"
        return None, DeviceMemoryError(size, reason)
    return pool, None


def failed_measurement(
    case: Case, launch: int, ranks: int, labels: tuple[str, ...], reason: str
) -> Measurement:
    """Return what is stored of a case that could not be measured: its reason, and no samples."""
    none = np.zeros((0, ranks), np.int64)
    empty = Sample(start_ns=none, stop_ns=none)
    return Measurement(
        case=case, sample=empty, warmup=empty, launch=launch, wrong=None, labels=labels,
        failure=reason,
    )  # fmt: skip
