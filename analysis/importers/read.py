"""Read one file: find its format, collect its cells, hold them against the physical ceiling."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from ...bench.errors import CaseError, ImportFormatError
from ...bench.host import as_text
from ..log_format import FORMATS
from ..physics import CEILING_BYTES_PER_S, judge
from . import imb, nccl, osu, param
from .cells import Cells, Given
from .line import digest_of, lines_of, opened, unreadable
from .nccl_json import read_nccl_json
from .table import is_table_heading, read_csv, read_json, read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TextIO

    from ...bench.imported import ImportedTable

__all__ = ["read_log"]


class _Reader(Protocol):
    def read(self, text: str) -> bool: ...


_READERS: dict[str, Callable[[Cells, Given], _Reader]] = {
    "nccl-tests": nccl.NcclReader,
    "osu": osu.OsuReader,
    "omb-py": osu.OsuReader,
    "imb": imb.ImbReader,
    "param": param.ParamReader,
}
_SIGNS = {
    "nccl-tests": nccl.SIGN,
    "osu": osu.SIGN_OSU,
    "omb-py": osu.SIGN_OMB_PY,
    "imb": imb.SIGN,
    "param": param.SIGN,
}
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
        table = cells.table(as_text(path.name), digest, found, skipped)
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
    if found == "nccl-tests" and _is_json(path):
        found = "nccl-tests-json"
    if found == "nccl-tests-json":
        return found, read_nccl_json(path.read_bytes(), cells, given, str(path))
    if found == "table" and _is_json(path):
        return found, read_json(path.read_bytes(), cells, given, renamed, str(path))
    if found == "table" and path.suffix.lower() == ".parquet":
        return found, read_parquet(path, cells, given, renamed, str(path))
    with opened(path) as stream:
        if found == "table":
            return found, read_csv(stream, cells, given, renamed, str(path))
        return found, _read_lines(stream, _READERS[found], cells, given, str(path))


def _read_lines(
    stream: TextIO, kind: Callable[[Cells, Given], _Reader], cells: Cells, given: Given, where: str
) -> int:
    """Give every line to the reader of the process that printed it; return how many are none's."""
    readers: dict[str, _Reader] = {}
    skipped = 0
    for number, text, speaker, whole in lines_of(stream):
        reader = readers.get(speaker)
        if reader is None:
            reader = readers[speaker] = kind(cells, given)
        try:
            skipped += not (whole and reader.read(text))
        except ImportFormatError as error:
            raise ImportFormatError(f"{where}: line {number}: {error}") from error
    return skipped


def _detect(path: Path) -> str:
    """Return the format of a file, from its first line that only one format has.

    Raises
    ------
    ImportFormatError
        If there is none.
    """
    if path.suffix.lower() == ".parquet":
        return "table"
    if _is_json(path):
        return "table" if _holds_cells(path) else "nccl-tests-json"
    with opened(path) as stream:
        for number, text, _, _ in lines_of(stream):
            if number == 1 and is_table_heading(text):
                return "table"
            for name, sign in _SIGNS.items():
                if sign.match(text.lstrip()):
                    return name
    raise ImportFormatError(
        f"{path}: found no line of a known format, expected one of {', '.join(FORMATS[1:])}; "
        "give --format where headings are missing"
    )


def _holds_cells(path: Path) -> bool:
    with path.open("rb") as stream:
        return re.match(rb'\s*\{\s*"cells"\s*:', stream.read(1 << 12)) is not None


def _is_json(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1 << 12).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
