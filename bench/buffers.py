"""Send and receive buffers: page-aligned NumPy memory, or CuPy memory on a device.

Two regions are allocated per launch, as large as the largest case (a third where an algorithm by
name needs scratch), and every case uses their beginnings: memory does not grow with the number of
cases, and libraries that remember registered buffers see the same ones again.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import pattern
from .algorithms import NATIVE
from .collectives import TABLE, receive_elements, region_bytes, send_elements
from .driver import open_driver
from .errors import DeviceMemoryError, MeasurementError
from .pattern import EXACT
from .stub import stub_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from .case import Case
    from .pattern import Verdict

__all__ = ["BufferPool", "Buffers", "lay_out", "pointer_of", "wait_for"]


@dataclass(frozen=True, slots=True, eq=False)
class Buffers:
    """The arrays of one case on one rank; with ``in_place`` the two are one."""

    send: Any
    receive: Any
    in_place: bool = False
    """Whether `send` lies within `receive`, or `receive` within `send`."""

    scratch: Any = None
    """What a named algorithm works on, of the message's size; None for native ones."""

    def prepare(self, case: Case, rank: int, ranks: int, seed: int) -> None:
        """Fill with the known pattern; an output that is not written will be found."""
        pattern.poison(case, rank, ranks, seed, self.receive)
        pattern.fill_send(case, rank, ranks, seed, self.send)
        wait_for(self.receive)

    def verify(self, case: Case, rank: int, ranks: int, seed: int) -> Verdict:
        """Return what is wrong on this rank after one operation."""
        if case.collective == "broadcast" and rank == case.root and not self.in_place:
            return EXACT  # the root's message stays in its send buffer
        if case.collective == "unidirectional" and rank == 0:
            return EXACT  # of two ranks, the first only sends
        return pattern.verify(case, rank, ranks, seed, self.receive)


class BufferPool:
    """The regions of one rank.

    Parameters
    ----------
    largest_bytes : int
        The largest `region_bytes` of the launch's cases.
    memory : str
        ``host`` or ``device``; for the latter the device that `device.bind` chose.
    allocate : callable, optional
        bytes -> array of uint8, where the transport must have memory of its own.
    """

    def __init__(
        self, largest_bytes: int, memory: str, allocate: Callable[[int], Any] | None = None
    ) -> None:
        self._allocate = allocate or (_device_region if memory == "device" else _host_region)
        self._size = max(largest_bytes, mmap.PAGESIZE)
        self.regions = self._allocate(self._size), self._allocate(self._size)
        self._scratch: Any = None

    def buffers(self, case: Case, rank: int, ranks: int) -> Buffers:
        """Return the arrays of a case on a rank, of its storage dtype, shape (elements,)."""
        return lay_out(case, rank, ranks, self.regions, self._scratch_of(case))

    def _scratch_of(self, case: Case) -> Any:
        if case.algorithm == NATIVE:
            return None
        if self._scratch is None:
            self._scratch = self._allocate(self._size)
        return self._scratch[: case.message_bytes]


def lay_out(
    case: Case, rank: int, ranks: int, regions: tuple[Any, Any], scratch: Any = None
) -> Buffers:
    """Return the arrays of a case on a rank at the beginnings of two regions, arrays of uint8."""
    sent, received = send_elements(case, ranks, rank), receive_elements(case, ranks, rank)
    size = region_bytes(case, ranks)
    first, second = (region[:size].view(case.storage_dtype) for region in regions)
    if case.placement == "out_of_place":
        return Buffers(first[:sent], second[:received], scratch=scratch)
    offset = rank * sent if TABLE[case.collective].sends_block else 0
    start = rank * received if _receives_own_block(case) else 0
    return Buffers(second[offset : offset + sent], second[start : start + received], True, scratch)


def _receives_own_block(case: Case) -> bool:
    """Whether a block is received where it was sent from: NCCL's in place; MPI's is the front."""
    return TABLE[case.collective].receives_block and case.transport == "nccl"


def wait_for(array: Any) -> None:
    """Wait until what was queued to write an array is done; NumPy's is done already."""
    if not isinstance(array, np.ndarray):
        import cupy

        cupy.cuda.get_current_stream().synchronize()


def pointer_of(array: Any) -> int:
    """Return the address of an array's first element."""
    return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr)


def _host_region(size_bytes: int) -> Any:
    """Page-aligned bytes, touched so that no page fault is timed."""
    try:
        region = np.frombuffer(mmap.mmap(-1, size_bytes), dtype=np.uint8)
    except (OSError, ValueError, MemoryError) as error:
        raise MeasurementError(
            f"buffers: no memory for 2 x {size_bytes} B on this rank ({error}); use smaller --sizes"
        ) from error
    region[...] = 0
    return region


def _device_region(size_bytes: int) -> Any:
    if stub_path():
        return open_driver().allocate(size_bytes)
    import cupy

    try:
        region = cupy.zeros(size_bytes, cupy.uint8)
    except cupy.cuda.memory.OutOfMemoryError as error:
        cupy.get_default_memory_pool().free_all_blocks()
        raise DeviceMemoryError(size_bytes, " ".join(str(error).split())) from error
    wait_for(region)
    return region
