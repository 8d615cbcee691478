"""Lines of a log as a launcher leaves them: prefixes taken off, ranks kept apart."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ...bench.errors import ImportFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

__all__ = ["Line", "digest_of", "lines_of", "opened"]

_LONGEST = 1 << 16  # characters; a longer line is no row, and its pieces could look like rows
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:\d\d) "
    r"|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}(?=[\[<]))?"
    r"\s*(\d+:|(?:\[[^\]\s]{1,200}\])?<std(?:out|err)>:|\[\d{1,9}\] |)",
    re.ASCII,
)
"""When a line was printed (kubectl and CI systems, Open MPI's ``--timestamp-output``), and by whom:
``srun -l``, Open MPI's ``--tag-output``, MPICH's and Intel MPI's ``-l``."""

_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}


Line = tuple[int, str, str, bool]
"""Number from 1; text without prefix and line end; the prefix, which tells processes apart; whether
it is whole: False for a last line without an end, whose last number may be cut, and for pieces of a
line too long to be one."""


def opened(path: Path) -> TextIO:
    """Open a text of any encoding that a byte-order mark names, else UTF-8; bad bytes become "?".

    Raises
    ------
    ImportFormatError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            mark = stream.read(2)
        encoding = _ENCODINGS.get(mark, "utf-8")
        return path.open(encoding=encoding, errors="replace", newline=None)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def lines_of(stream: TextIO) -> Iterator[Line]:
    """Yield the lines of an open text."""
    number = 0
    within = False  # a line that began too long ago
    while text := stream.readline(_LONGEST):
        ended = text.endswith("\n")
        number += not within
        if within or (not ended and len(text) == _LONGEST):
            yield number, "", "", False
            within = not ended
            continue
        match = _PREFIX.match(text) if ":" in text[:256] or text[0] == "[" else None
        start, speaker = (match.end(), match[1]) if match else (0, "")
        yield number, text[start:].rstrip("\r\n"), speaker, ended


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits.

    Raises
    ------
    ImportFormatError
        If the file cannot be read.
    """
    try:
        if path.is_file() or path.is_dir() or not path.exists():
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    raise ImportFormatError(f"{path}: found no regular file, expected one that can be read twice")


def unreadable(path: Path, error: Exception) -> ImportFormatError:
    """Return the error that says that a file cannot be read."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return ImportFormatError(f"{path}: found {reason!r}, expected a readable log")
