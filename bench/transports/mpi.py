"""MPI's collectives as steps: host buffers, or device buffers where the MPI is GPU-aware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...native import Step
from ..buffers import pointer_of
from ..collectives import TABLE
from ..errors import TransportError
from ..mpi import address_of, handle_of, load_mpi

if TYPE_CHECKING:
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
    "float16": "UINT16_T",  # moved, never reduced: MPI has no half precision
    "float32": "FLOAT",
    "float64": "DOUBLE",
}


def barrier_step(communicator: Any, group: str = "before") -> Step:
    """Return the step of an MPI barrier."""
    return Step(_address("MPI_Barrier"), (handle_of(communicator),), group)


class MpiTransport:
    """Collectives of an mpi4py communicator.

    Raises
    ------
    TransportError
        By `operation`, where MPI cannot do what the case asks for.
    """

    name = "mpi"

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self._large_types: list[Any] = []  # derived types must outlive their plans

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps of one operation."""
        if case.collective == "barrier":
            return (barrier_step(self._communicator, "timed"),)
        if TABLE[case.collective].reduces:
            return (self._all_reduce(case, buffers),)
        return (self._all_to_all(case, buffers),)

    def describe(self, code: int) -> str:
        """Return MPI's text for an error code."""
        return str(load_mpi().Get_error_string(code))

    def _all_reduce(self, case: Case, buffers: Buffers) -> Step:
        """MPI_Allreduce(sendbuf, recvbuf, count, datatype, op, comm)."""
        if case.dtype == "float16":
            raise TransportError(
                "mpi: found dtype float16 in a reduction, expected one that MPI reduces"
            )
        function, fits = _sized("MPI_Allreduce", case.elements)
        if not fits:
            raise TransportError(
                f"mpi: found {case.elements} elements in all_reduce, expected at most {_INT_MAX} "
                "(this MPI has no MPI_Allreduce_c)"
            )
        mpi = load_mpi()
        operation = getattr(mpi, case.operation.upper())
        arguments = (
            self._send_pointer(buffers),
            pointer_of(buffers.receive),
            case.elements,
            handle_of(getattr(mpi, _DATATYPES[case.dtype])),
            handle_of(operation),
            handle_of(self._communicator),
        )
        return Step(function, arguments, "timed")

    def _all_to_all(self, case: Case, buffers: Buffers) -> Step:
        """MPI_Alltoall(sendbuf, sendcount, sendtype, recvbuf, recvcount, recvtype, comm)."""
        count = case.elements // self._communicator.size
        datatype = getattr(load_mpi(), _DATATYPES[case.dtype])
        function, fits = _sized("MPI_Alltoall", count)
        if not fits:
            count, datatype = self._grouped(count, datatype)
        block = (count, handle_of(datatype))
        arguments = (
            self._send_pointer(buffers),
            *block,
            pointer_of(buffers.receive),
            *block,
            handle_of(self._communicator),
        )
        return Step(function, arguments, "timed")

    def _send_pointer(self, buffers: Buffers) -> int:
        if buffers.send is buffers.receive:
            return int(load_mpi().IN_PLACE)
        return pointer_of(buffers.send)

    def _grouped(self, count: int, datatype: Any) -> tuple[int, Any]:
        """The same elements as fewer, larger ones of a derived type."""
        for group in (2**power for power in range(1, 31)):
            if count % group == 0 and count // group <= _INT_MAX:
                derived = datatype.Create_contiguous(group).Commit()
                self._large_types.append(derived)
                return count // group, derived
        raise TransportError(
            f"mpi: found {count} elements per peer, expected at most {_INT_MAX} or a number that "
            "a power of two divides (this MPI has no large-count functions)"
        )


def _sized(function: str, count: int) -> tuple[int, bool]:
    """The function for a count, and whether the count fits it."""
    if count <= _INT_MAX:
        return _address(function), True
    large = address_of(f"{function}_c")
    return (_address(function), False) if large is None else (large, True)


def _address(function: str) -> int:
    found = address_of(function)
    if found is None:
        raise TransportError(f"mpi: found no {function} in the library that mpi4py loaded")
    return found
