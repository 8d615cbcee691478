"""Case: what is measured, as a pure value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import CaseError

__all__ = [
    "BYTES_PER_ELEMENT",
    "COLLECTIVES",
    "LOADS",
    "MEMORIES",
    "OPERATIONS",
    "PAIRS",
    "PLACEMENTS",
    "SIZELESS",
    "STORAGE",
    "TRANSPORTS",
    "UNIFORM",
    "Case",
]

COLLECTIVES = (
    "all_reduce",
    "all_to_all",
    "all_to_allv",
    "all_gather",
    "reduce_scatter",
    "broadcast",
    "send_recv",
    "ping_pong",
    "unidirectional",
    "bidirectional",
    "barrier",
    "copy",
    "noise",
)
"""Names of what can be measured. No communication are ``copy``, from the send to the receive buffer
of every rank, and ``noise``, a fixed quantum of work."""

SIZELESS = frozenset({"barrier", "noise"})
"""Those without a message."""

LOADS = ("concurrent", "incast", "all_to_all", "permutation")
"""What other ranks can do meanwhile: the same operation in groups of their own, or a pattern that
loads the network."""

PAIRS = ("ping_pong", "unidirectional", "bidirectional")
"""Those of them that two ranks do alone."""

TRANSPORTS = ("mpi", "staged", "nccl")
"""Ways through which ranks communicate: MPI, MPI over host copies of device buffers, NCCL."""

PLACEMENTS = ("out_of_place", "in_place")
"""Whether the receive buffer is another one than the send buffer."""

MEMORIES = ("host", "device")
"""Where the buffers lie."""

OPERATIONS = ("sum", "prod", "min", "max", "avg")
"""Reduction operations; ``avg``, the sum over the number of ranks, is NCCL's alone."""

UNIFORM = "uniform"
"""Counts of an all_to_allv that sends as much to every rank, as all_to_all does."""

BYTES_PER_ELEMENT = {
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "float8_e4m3": 1,
    "float8_e5m2": 1,
}
"""Element size of every dtype, in bytes. NumPy's names, and NCCL's where NumPy has none."""

STORAGE = {"bfloat16": "uint16", "float8_e4m3": "uint8", "float8_e5m2": "uint8"}
"""dtype -> the NumPy dtype whose arrays hold its bits, where neither NumPy nor CuPy has it."""


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
    (per-peer count x ranks) for all_gather, reduce_scatter and all_to_all; what a rank sends in
    all, on average over the ranks, for all_to_allv; one message between two ranks; 0 for
    `SIZELESS`."""

    transport: str = "mpi"
    """One of `TRANSPORTS`."""

    algorithm: str = "native"
    """``native`` is the library's own choice; others are keys of `collcast.bench.algorithms`."""

    dtype: str = "float32"
    """A key of `BYTES_PER_ELEMENT`."""

    operation: str = "sum"
    """One of `OPERATIONS`; matters to reductions only."""

    root: int = 0
    """Rank that sends or receives, in rooted collectives; that begins, between two ranks."""

    peer: int = -1
    """The other rank of an operation between two; -1 for operations of all ranks."""

    placement: str = "out_of_place"
    """One of `PLACEMENTS`."""

    memory: str = "host"
    """One of `MEMORIES`."""

    counts: str = UNIFORM
    """How an all_to_allv divides its message among the ranks, as `counts.parse_counts` writes it:
    ``uniform``, ``zipf:EXPONENT:SEED`` or ``file:DIGEST:PATH``."""

    load: str = ""
    """What other ranks of the launch do meanwhile, and how many they are: one of `LOADS` and a
    number, such as ``incast:4``; empty where they sleep."""

    def __post_init__(self) -> None:
        _expect("collective", self.collective, COLLECTIVES)
        _expect("transport", self.transport, TRANSPORTS)
        _expect("dtype", self.dtype, tuple(BYTES_PER_ELEMENT))
        _expect("operation", self.operation, OPERATIONS)
        _expect("placement", self.placement, PLACEMENTS)
        _expect("memory", self.memory, MEMORIES)
        pattern, _, others = self.load.partition(":")
        if self.load and not (pattern in LOADS and re.fullmatch("[1-9][0-9]{0,8}", others)):
            raise CaseError(
                f"case.load: found {self.load!r}, expected one of {', '.join(LOADS)} and a number "
                "of ranks, such as incast:4"
            )
        if self.collective in SIZELESS and self.message_bytes != 0:
            raise CaseError(
                f"case.message_bytes: found {self.message_bytes} for {self.collective}, expected 0"
            )
        if self.collective not in SIZELESS and self.message_bytes < 1:
            raise CaseError(f"case.message_bytes: found {self.message_bytes}, expected at least 1")
        if self.message_bytes % self.element_bytes:
            raise CaseError(
                f"case.message_bytes: found {self.message_bytes}, expected a multiple of "
                f"{self.element_bytes}, the size of one {self.dtype}"
            )
        if self.root < 0:
            raise CaseError(f"case.root: found {self.root}, expected a rank >= 0")
        if self.collective != "all_to_allv" and self.counts != UNIFORM:
            raise CaseError(
                f"case.counts: found {self.counts!r} for {self.collective}, expected {UNIFORM} "
                "(only all_to_allv has others)"
            )
        if self.collective == "all_to_allv" and self.placement != "out_of_place":
            raise CaseError(
                f"case.placement: found {self.placement} for all_to_allv, expected out_of_place "
                "(what a rank sends and what it receives differ in size)"
            )
        if self.collective == "copy" and self.placement != "out_of_place":
            raise CaseError(
                f"case.placement: found {self.placement} for copy, expected out_of_place"
            )
        self._check_pair()

    def _check_pair(self) -> None:
        if self.collective not in PAIRS:
            if self.peer != -1:
                raise CaseError(
                    f"case.peer: found {self.peer} in {self.collective}, expected -1 for none"
                )
            return
        if self.peer < 0 or self.peer == self.root:
            raise CaseError(
                f"case.peer: found {self.peer} in {self.collective}, expected another rank than "
                f"root {self.root}"
            )
        if self.placement != "out_of_place":
            raise CaseError(
                f"case.placement: found {self.placement} in {self.collective}, expected "
                "out_of_place"
            )

    @property
    def element_bytes(self) -> int:
        """Bytes of one element."""
        return BYTES_PER_ELEMENT[self.dtype]

    @property
    def storage_dtype(self) -> str:
        """NumPy's name of the arrays that hold the elements, or their bits."""
        return STORAGE.get(self.dtype, self.dtype)

    @property
    def elements(self) -> int:
        """Elements in `message_bytes`."""
        return self.message_bytes // self.element_bytes


def _expect(field: str, found: str, expected: tuple[str, ...]) -> None:
    if found not in expected:
        raise CaseError(f"case.{field}: found {found!r}, expected one of {', '.join(expected)}")
