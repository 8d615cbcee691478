"""Cells as they are found, collected column by column in little memory."""

from __future__ import annotations

import math
import re
from array import array
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...bench.errors import ImportFormatError
from ...bench.imported import ImportedTable, Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DTYPES",
    "PER_PEER",
    "REAL",
    "Cells",
    "Context",
    "Given",
    "is_real",
    "size_of",
    "us_to_s",
]

REAL = r"\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?"
"""A number that is not negative, as C prints it, for an expression compiled with `re.ASCII`."""

PER_PEER = frozenset(
    {"all_gather", "all_to_all", "all_to_allv", "all_to_allw", "gather", "scatter"}
)
"""Collectives whose size OSU and IMB give per peer; x ranks it is the size of a `Case`."""

DTYPES = {
    "float": "float32", "double": "float64", "half": "float16", "char": "int8",
    "int": "int32", "byte": "uint8", "mpi_char": "int8", "mpi_int": "int32",
    "f8e4m3": "float8_e4m3", "f8e5m2": "float8_e5m2", "fp8_e4m3": "float8_e4m3",
    "fp8_e5m2": "float8_e5m2", "bf16": "bfloat16",
    "mpi_float": "float32", "mpi_double": "float64", "mpi_byte": "uint8",
}  # fmt: skip
"""Names of C, NCCL and MPI, in lower case, by NumPy's; others stay as they are."""

_MOST_BYTES = 1 << 62  # int64; a size beyond is no size


class Given(NamedTuple):
    """What the user says in place of a log that does not; None and "" where nothing is said."""

    ranks: int | None = None
    ranks_per_node: int | None = None
    collective: str = ""
    system: str = ""


class Context(NamedTuple):
    """What many cells have in common; "" and -1 where the source is silent."""

    collective: str
    transport: str
    ranks: int
    ranks_per_node: int = -1
    memory: str = ""
    dtype: str = ""
    operation: str = ""
    placement: str = ""
    mode: str = ""
    statistic: str = ""
    suspect: str = ""
    system: str = ""
    repetitions: int = -1


class Cells:
    """Columns that grow."""

    def __init__(self) -> None:
        self._contexts: dict[Context, int] = {}
        self._by_identity: dict[int, tuple[Context, int]] = {}  # keeps them, so ids stay theirs
        self._of = array("l")
        self._bytes = array("q")
        self._wrong = array("q")
        self._times = (array("d"), array("d"), array("d"))

    def __len__(self) -> int:
        return len(self._of)

    def add(
        self,
        context: Context,
        message_bytes: int,
        time_s: float,
        low_s: float = math.nan,
        high_s: float = math.nan,
        wrong: int = -1,
    ) -> None:
        """Add one cell."""
        known = self._by_identity.get(id(context))  # hashing a context costs more than the rest
        if known is None:
            known = context, self._contexts.setdefault(context, len(self._contexts))
            self._by_identity[id(context)] = known
        self._of.append(known[1])
        self._bytes.append(message_bytes)
        self._wrong.append(wrong)
        self._times[0].append(time_s)
        self._times[1].append(low_s)
        self._times[2].append(high_s)

    def table(self, source: str, digest: str, form: str, skipped: int) -> ImportedTable:
        """Return the cells as a value.

        Raises
        ------
        ImportFormatError
            If there is none.
        """
        if not len(self):
            raise ImportFormatError(
                f"{source}: found no row of a {form} measurement in {skipped} other lines, "
                "expected at least 1"
            )
        of = np.array(self._of)
        shared = {
            name: [getattr(context, name) for context in self._contexts] for name in Context._fields
        }
        columns: dict[str, Any] = {
            name: np.array(column, np.int64)[of] if name in _COUNTS else _texts(column, of)
            for name, column in shared.items()
        }
        time_s, low_s, high_s = (np.array(column, np.float64) for column in self._times)
        return ImportedTable(
            source=source,
            digest=digest,
            format=form,
            skipped=skipped,
            message_bytes=np.array(self._bytes, np.int64),
            wrong=np.array(self._wrong, np.int64),
            time_s=time_s,
            low_s=low_s,
            high_s=high_s,
            **columns,
        )


_COUNTS = ("ranks", "ranks_per_node", "repetitions")


def _texts(column: list[str], of: NDArray[np.int64]) -> Texts:
    names = {name: code for code, name in enumerate(dict.fromkeys(column))}
    codes = np.array([names[name] for name in column], np.int32)
    return Texts(codes[of], tuple(names))


def us_to_s(text: str) -> float:
    """Return seconds from decimal digits that mean microseconds, correctly rounded."""
    if "e" in text or "E" in text:
        return float(Decimal(text).scaleb(-6))
    return float(text + "e-6")


def size_of(text: str, factor: int = 1) -> int | None:
    """Return a size in bytes from decimal digits, times a factor; None if no buffer is as large."""
    if len(text) > 20:
        return None
    size = int(text) * factor
    return size if size <= _MOST_BYTES else None


_NUMBER = re.compile(REAL, re.ASCII)


def is_real(text: str) -> bool:
    """Tell whether a text is one number that is not negative and not too large for a float."""
    return _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
