"""Read one file: find its format, collect its cells, hold them against the physical ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bench.errors import CaseError, ImportFormatError
from ..physics import CEILING_BYTES_PER_S, judge
from .cells import Cells, Given
from .line import digest_of, opened, unreadable
from .table import is_table_heading, read_csv, read_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ...bench.imported import ImportedTable

__all__ = ["FORMATS", "read_log"]

FORMATS = ("auto", "nccl-tests", "osu", "imb", "omb-py", "param", "table")
"""What can be asked for."""

_NOTHING: Mapping[str, str] = {}


def read_log(
    path: Path,
    form: str = "auto",
    given: Given | None = None,
    renamed: Mapping[str, str] = _NOTHING,
    ceiling_bytes_per_s: float = CEILING_BYTES_PER_S,
) -> ImportedTable:
    """Return the cells of one log or table.

    Parameters
    ----------
    path
        The file.
    form
        One of `FORMATS`.
    given
        What the user says where the log does not.
    renamed
        Columns of a table by the name that they should have.
    ceiling_bytes_per_s
        Rate beyond which a figure is marked as impossible.

    Raises
    ------
    ImportFormatError
        Whatever is wrong with the file.
    """
    given = given or Given()
    digest = digest_of(path)
    cells = Cells()
    try:
        found, skipped = _collect(path, form, cells, given, renamed)
        table = cells.table(path.name, digest, found, skipped)
    except (OSError, UnicodeError) as error:
        raise unreadable(path, error) from error
    except CaseError as error:
        raise ImportFormatError(f"{path}: {error}") from error
    return judge(table, ceiling_bytes_per_s)


def _collect(
    path: Path, form: str, cells: Cells, given: Given, renamed: Mapping[str, str]
) -> tuple[str, int]:
    """Read into `cells`; return the format found and the number of lines skipped."""
    found = _detect(path) if form == "auto" else form
    if found == "table" and path.suffix.lower() == ".parquet":
        return found, read_parquet(path, cells, given, renamed, str(path))
    with opened(path) as stream:
        return found, read_csv(stream, cells, given, renamed, str(path))


def _detect(path: Path) -> str:
    if path.suffix.lower() == ".parquet":
        return "table"
    with opened(path) as stream:
        if is_table_heading(stream.readline(1 << 16)):
            return "table"
    raise ImportFormatError(f"{path}: found no known format, expected one of {', '.join(FORMATS)}")
