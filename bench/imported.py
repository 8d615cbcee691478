"""ImportedTable: figures that other programs printed, as a pure value.

No stamps exist for them: a cell is one number per collective, backend, ranks and size, with the
statistic that its program computed. What the source does not say is "", -1 or NaN; nothing is
filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["INTEGER_COLUMNS", "REAL_COLUMNS", "TEXT_COLUMNS", "ImportedTable", "Texts"]

TEXT_COLUMNS = (
    "collective",
    "transport",
    "memory",
    "dtype",
    "operation",
    "placement",
    "mode",
    "statistic",
    "suspect",
    "system",
)
"""Columns of texts; "" where the source is silent."""

INTEGER_COLUMNS = ("ranks", "ranks_per_node", "message_bytes", "repetitions", "wrong")
"""Columns of int64; -1 where the source is silent."""

REAL_COLUMNS = ("time_s", "low_s", "high_s")
"""Columns of float64; NaN where the source is silent."""

_LEAST = {"ranks": 1, "message_bytes": 0}  # the others may be -1


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of texts of which few differ: names, and which of them stands in each row."""

    codes: NDArray[np.int32]
    """Shape (row,): indices into `names`."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.codes.ndim != 1 or self.codes.dtype != np.int32:
            raise CaseError(
                f"texts.codes: found {self.codes.dtype} {self.codes.shape}, expected int32 (row,)"
            )
        if len(self.codes) and not 0 <= self.codes.min() <= self.codes.max() < len(self.names):
            raise CaseError(
                f"texts.codes: found {self.codes.min()} to {self.codes.max()}, expected indices of "
                f"{len(self.names)} names"
            )

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]

    def __iter__(self) -> Iterator[str]:
        return (self.names[code] for code in self.codes.tolist())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedTable:
    """The cells of one log or table: columns of equal length, one entry per cell.

    Raises
    ------
    CaseError
        If columns differ in length, are empty, or hold what no cell can be.
    """

    source: str
    """Name of the file, without its folder."""

    digest: str
    """SHA-256 of the file's bytes, 64 hexadecimal digits."""

    format: str
    """Which importer read it: ``nccl-tests``, ``nccl-tests-json``, ``osu``, ``imb``, ``omb-py``,
    ``param`` or ``table``."""

    skipped: int = 0
    """Lines that carry no cell and are no header that the importer knows."""

    collective: Texts
    transport: Texts
    """``mpi``, ``nccl``, or the source's own label."""

    memory: Texts
    dtype: Texts
    operation: Texts
    placement: Texts
    mode: Texts
    """``latency`` or ``throughput`` as in a protocol; the two are never mixed."""

    statistic: Texts
    """What `time_s` is, such as ``mean_over_ranks``."""

    suspect: Texts
    """Why a figure cannot be believed, such as ``physics``; "" if it can."""

    system: Texts
    ranks: NDArray[np.int64]
    ranks_per_node: NDArray[np.int64]
    message_bytes: NDArray[np.int64]
    """The nccl-tests "size", as in a case."""

    repetitions: NDArray[np.int64]
    wrong: NDArray[np.int64]
    time_s: NDArray[np.float64]
    low_s: NDArray[np.float64]
    """What the source gives as lower end: a percentile or a minimum, no confidence interval."""

    high_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = len(self.ranks)
        for name in (*TEXT_COLUMNS, *INTEGER_COLUMNS, *REAL_COLUMNS):
            if len(getattr(self, name)) != rows or not rows:
                raise CaseError(
                    f"imported.{name}: found {len(getattr(self, name))} rows, "
                    f"expected {max(rows, 1)}"
                )
        for name in INTEGER_COLUMNS:
            self._expect_numbers(name, np.dtype(np.int64), _LEAST.get(name, -1))
        for name in REAL_COLUMNS:
            self._expect_numbers(name, np.dtype(np.float64), 0)
        if np.isnan(self.time_s).any():
            raise CaseError("imported.time_s: found NaN, expected a time in every row")
        if "" in {self.collective.names[code] for code in np.unique(self.collective.codes)}:
            raise CaseError("imported.collective: found '', expected a name in every row")

    def __len__(self) -> int:
        return len(self.ranks)

    def row(self, index: int) -> dict[str, Any]:
        """Return one cell by column name."""
        numbers = (*INTEGER_COLUMNS, *REAL_COLUMNS)
        return {name: getattr(self, name)[index] for name in TEXT_COLUMNS} | {
            name: getattr(self, name)[index].item() for name in numbers
        }

    def _expect_numbers(self, name: str, kind: np.dtype[Any], least: int) -> None:
        column = getattr(self, name)
        if column.dtype != kind or column.ndim != 1:
            raise CaseError(
                f"imported.{name}: found {column.dtype} {column.shape}, expected {kind} (row,)"
            )
        if np.isinf(column).any() or (column < least).any():
            raise CaseError(f"imported.{name}: found {column.min()}, expected at least {least}")
