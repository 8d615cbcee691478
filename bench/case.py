"""Case: what is measured, as a pure value."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import CaseError

__all__ = [
    "BYTES_PER_ELEMENT",
    "COLLECTIVES",
    "MEMORIES",
    "OPERATIONS",
    "PLACEMENTS",
    "TRANSPORTS",
    "Case",
]

COLLECTIVES = (
    "all_reduce",
    "all_to_all",
    "all_gather",
    "reduce_scatter",
    "broadcast",
    "send_recv",
    "barrier",
)
"""Names of the collectives that can be measured."""

TRANSPORTS = ("mpi", "staged", "nccl")
"""Ways through which ranks communicate: MPI, MPI over host copies of device buffers, NCCL."""

PLACEMENTS = ("out_of_place", "in_place")
"""Whether the receive buffer is another one than the send buffer."""

MEMORIES = ("host", "device")
"""Where the buffers lie."""

OPERATIONS = ("sum", "prod", "min", "max")
"""Reduction operations."""

BYTES_PER_ELEMENT = {
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
}
"""Element size of every dtype, in bytes. NumPy's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operation on one message size: a row of a table, for one number of ranks.

    Raises
    ------
    CaseError
        If a field has no such value, or the message is no whole number of elements.
    """

    collective: str
    """One of `COLLECTIVES`."""

    message_bytes: int
    """The nccl-tests "size", in bytes: per-rank buffer for all_reduce and broadcast; per-rank total
    (per-peer count x ranks) for all_gather, reduce_scatter and all_to_all; 0 for barrier."""

    transport: str = "mpi"
    """One of `TRANSPORTS`."""

    algorithm: str = "native"
    """``native`` is the library's own choice."""

    dtype: str = "float32"
    """A key of `BYTES_PER_ELEMENT`."""

    operation: str = "sum"
    """One of `OPERATIONS`; matters to reductions only."""

    root: int = 0
    """Rank that sends or receives, in rooted collectives."""

    placement: str = "out_of_place"
    """One of `PLACEMENTS`."""

    memory: str = "host"
    """One of `MEMORIES`."""

    def __post_init__(self) -> None:
        _expect("collective", self.collective, COLLECTIVES)
        _expect("transport", self.transport, TRANSPORTS)
        _expect("dtype", self.dtype, tuple(BYTES_PER_ELEMENT))
        _expect("operation", self.operation, OPERATIONS)
        _expect("placement", self.placement, PLACEMENTS)
        _expect("memory", self.memory, MEMORIES)
        if self.collective == "barrier" and self.message_bytes != 0:
            raise CaseError(
                f"case.message_bytes: found {self.message_bytes} for a barrier, expected 0"
            )
        if self.collective != "barrier" and self.message_bytes < 1:
            raise CaseError(f"case.message_bytes: found {self.message_bytes}, expected at least 1")
        if self.message_bytes % self.element_bytes:
            raise CaseError(
                f"case.message_bytes: found {self.message_bytes}, expected a multiple of "
                f"{self.element_bytes}, the size of one {self.dtype}"
            )
        if self.root < 0:
            raise CaseError(f"case.root: found {self.root}, expected a rank >= 0")

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return BYTES_PER_ELEMENT[self.dtype]

    @property
    def elements(self) -> int:
        """Elements in `message_bytes`."""
        return self.message_bytes // self.element_bytes


def _expect(field: str, found: str, expected: tuple[str, ...]) -> None:
    if found not in expected:
        raise CaseError(f"case.{field}: found {found!r}, expected one of {', '.join(expected)}")
