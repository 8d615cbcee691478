"""Which dtypes, operations and algorithms a transport has.

Every transport moves every dtype, as bytes of its width where it has no name for it. It reduces

    mpi, staged   sum, prod, min, max of the integers, float32 and float64: MPI-4.1 has no half
                  precision, no bfloat16, no fp8 and no average (section 6.9.2)
    nccl          sum, prod, min, max, and avg since 2.10, of int8, uint8, int32, int64, float16,
                  float32 and float64; bfloat16 since 2.10, fp8 since 2.24 (nccl.h; release notes)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .algorithms import NATIVE
from .case import BYTES_PER_ELEMENT, OPERATIONS
from .collectives import TABLE

if TYPE_CHECKING:
    from .case import Case

__all__ = ["NCCL_REDUCES", "reducible", "refusal"]

_Version = tuple[int, int]

_MPI_REDUCES = ("int8", "uint8", "int16", "int32", "int64", "float32", "float64")

NCCL_REDUCES: dict[str, _Version] = {
    **dict.fromkeys(("int8", "uint8", "int32", "int64", "float16", "float32", "float64"), (2, 0)),
    "bfloat16": (2, 10),
    "float8_e4m3": (2, 24),
    "float8_e5m2": (2, 24),
}
"""dtype -> first version of NCCL that reduces it."""

_NCCL_AVERAGE = (2, 10)
_NEWEST = (1 << 30, 0)


def reducible(transport: str, nccl_version: _Version = _NEWEST) -> tuple[str, ...]:
    """Return the dtypes that a transport reduces."""
    if transport != "nccl":
        return _MPI_REDUCES
    return tuple(
        name
        for name in BYTES_PER_ELEMENT
        if name in NCCL_REDUCES and NCCL_REDUCES[name] <= nccl_version
    )


def refusal(case: Case, nccl_version: _Version = _NEWEST) -> str:
    """Return why a transport cannot do what a case asks for, in one line; "" if it can.

    Parameters
    ----------
    case
    nccl_version : major and minor; without it, whatever the newest can do
    """
    if case.algorithm != NATIVE and (case.transport, case.memory) == ("mpi", "device"):
        return (
            f"mpi: found algorithm {case.algorithm} on device memory, expected native or "
            "--transport staged: its copies and reductions run on the host"
        )
    if not TABLE[case.collective].reduces:
        return ""
    dtypes = reducible(case.transport, nccl_version)
    if case.dtype not in dtypes:
        return (
            f"{case.transport}: found dtype {case.dtype} in {case.collective}, expected one that "
            f"it reduces: {', '.join(dtypes)}"
        )
    if case.operation == "avg" and (case.transport != "nccl" or nccl_version < _NCCL_AVERAGE):
        operations = ", ".join(name for name in OPERATIONS if name != "avg")
        return f"{case.transport}: found operation avg, expected one that it has: {operations}"
    return ""
