"""MPI's collectives as steps: host buffers, or device buffers where the MPI is GPU-aware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...native import Step
from ..algorithms import NATIVE
from ..buffers import pointer_of
from ..collectives import TABLE
from ..counts import counts_of, displacements
from ..errors import TransportError
from ..mpi import address_of, handle_of, load_mpi, needed_address
from ..support import refusal
from .memcpy import DeviceCopy, host_copy
from .point_to_point import PointToPoint
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..buffers import Buffers
    from ..case import Case

__all__ = ["MpiTransport", "barrier_step"]

_INT_MAX = 2**31 - 1  # the classic functions' counts are C ints

_DATATYPES = {
    "int8": "INT8_T",
    "uint8": "UINT8_T",
    "int16": "INT16_T",
    "int32": "INT32_T",
    "int64": "INT64_T",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "float16": "UINT16_T",  # from here on moved, never reduced: MPI has none of them
    "bfloat16": "UINT16_T",
    "float8_e4m3": "UINT8_T",
    "float8_e5m2": "UINT8_T",
}

# The function of each collective and its arguments, in MPI's order.
_CALLS = {
    "all_reduce": ("MPI_Allreduce", "input receive count type op comm"),
    "all_to_all": ("MPI_Alltoall", "input count type receive count type comm"),
    "all_gather": ("MPI_Allgather", "input count type receive count type comm"),
    "reduce_scatter": ("MPI_Reduce_scatter_block", "input receive count type op comm"),
    "broadcast": ("MPI_Bcast", "buffer count type root comm"),
    "send_recv": (
        "MPI_Sendrecv",
        "send count type next tag receive count type previous tag comm status",
    ),
    "send_recv in_place": (
        "MPI_Sendrecv_replace",
        "receive count type next tag previous tag comm status",
    ),
}


def barrier_step(communicator: Any, group: str = "before") -> Step:
    """Return the step of an MPI barrier."""
    return Step(needed_address("MPI_Barrier"), (handle_of(communicator),), group)


class MpiTransport(Transport):
    """Collectives of an mpi4py communicator.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    hosts : sequence of str
        Host of every rank, for algorithms that work node by node; empty where all share one.

    Raises
    ------
    TransportError
        By `operation`, where MPI cannot do what the case asks for.
    """

    name = "mpi"

    def __init__(self, communicator: Any, hosts: Sequence[str] = ()) -> None:
        self._communicator = communicator
        self._kept: list[Any] = []  # derived types and counts must outlive their plans
        self._point_to_point = PointToPoint(communicator, hosts)
        self._status = np.zeros(load_mpi()._sizeof(load_mpi().Status), np.uint8)
        self._copies: DeviceCopy | None = None

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps of one operation."""
        comm = handle_of(self._communicator)
        if case.collective == "barrier":
            return (barrier_step(self._communicator, "timed"),)
        if case.collective == "copy":
            return self._copied(case, buffers)
        if refused := refusal(case):
            raise TransportError(refused)
        if case.collective == "all_to_allv":
            return (self._uneven(case, buffers),)
        datatype, operation = self._typed(case)
        if case.algorithm != NATIVE:
            return self._point_to_point.operation(case, buffers, datatype, operation)
        ring_in_place = case.collective == "send_recv" and buffers.in_place
        name, arguments = _CALLS["send_recv in_place" if ring_in_place else case.collective]
        function, count, datatype = self._counted(name, case)
        words = {
            "send": pointer_of(buffers.send),
            "receive": pointer_of(buffers.receive),
            "input": int(load_mpi().IN_PLACE) if buffers.in_place else pointer_of(buffers.send),
            "count": count,
            "type": handle_of(datatype),
            "op": operation,
            "root": case.root,
            "next": (self._communicator.rank + 1) % self._communicator.size,
            "previous": (self._communicator.rank - 1) % self._communicator.size,
            "tag": 0,
            "status": self._status.ctypes.data,
            "comm": comm,
        }
        if case.collective == "broadcast":
            root = self._communicator.rank == case.root and not buffers.in_place
            words["buffer"] = words["send" if root else "receive"]
        return (Step(function, tuple(words[word] for word in arguments.split()), "timed"),)

    def describe(self, code: int, function: int = 0) -> str:
        """Return MPI's text for an error code, or the driver's for one of its functions."""
        copied = self._copies.describe(code, function) if self._copies else ""
        return copied or str(load_mpi().Get_error_string(code))

    def close(self) -> None:
        """Free what copies on a device needed."""
        if self._copies:
            self._copies.close()
            self._copies = None

    def _copied(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """The steps of a copy from one buffer to the other."""
        words = pointer_of(buffers.receive), pointer_of(buffers.send), case.message_bytes
        if case.memory == "host":
            return (host_copy(*words),)
        self._copies = self._copies or DeviceCopy()
        return self._copies.steps(*words)

    def _typed(self, case: Case) -> tuple[Any, int]:
        """The datatype of a case, and the handle of its reduction; 0 where nothing is reduced."""
        datatype = getattr(load_mpi(), _DATATYPES[case.dtype])
        if not TABLE[case.collective].reduces:
            return datatype, 0
        return datatype, handle_of(getattr(load_mpi(), case.operation.upper()))

    def _counted(self, name: str, case: Case) -> tuple[int, int, Any]:
        """The function, count and datatype for a message; large counts included."""
        reduces = TABLE[case.collective].reduces
        count = case.elements // (self._communicator.size if TABLE[case.collective].blocks else 1)
        datatype = self._typed(case)[0]
        large = address_of(f"{name}_c")
        if count <= _INT_MAX:
            return needed_address(name), count, datatype
        if large is not None:
            return large, count, datatype
        if reduces:
            raise TransportError(
                f"mpi: found {count} elements in {case.collective}, expected at most {_INT_MAX} "
                f"(this MPI has no {name}_c)"
            )
        return needed_address(name), *self._grouped(count, datatype)

    def _uneven(self, case: Case, buffers: Buffers) -> Step:
        """The step of an all-to-all whose counts differ."""
        communicator = self._communicator
        counts = counts_of(case, communicator.size)
        sides = counts[communicator.rank], counts[:, communicator.rank]
        large = int(max(counts.sum(0).max(), counts.sum(1).max())) > _INT_MAX
        name = "MPI_Alltoallv_c" if large else "MPI_Alltoallv"
        kind = np.int64 if large else np.int32  # MPI_Count and MPI_Aint, or int
        datatype = handle_of(self._typed(case)[0])
        words: list[int] = []
        for buffer, side in zip((buffers.send, buffers.receive), sides, strict=True):
            arrays = side.astype(kind), displacements(side).astype(kind)
            self._kept += arrays
            words += [pointer_of(buffer), *(array.ctypes.data for array in arrays), datatype]
        return Step(needed_address(name), (*words, handle_of(communicator)), "timed")

    def _grouped(self, count: int, datatype: Any) -> tuple[int, Any]:
        """The same elements as fewer, larger ones of a derived type."""
        for group in (2**power for power in range(1, 31)):
            if count % group == 0 and count // group <= _INT_MAX:
                derived = datatype.Create_contiguous(group).Commit()
                self._kept.append(derived)
                return count // group, derived
        raise TransportError(
            f"mpi: found {count} elements per peer, expected at most {_INT_MAX} or a number that "
            "a power of two divides (this MPI has no large-count functions)"
        )
