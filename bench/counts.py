"""How many elements each rank sends to each in an all_to_allv.

A matrix c[s, d] of P x P whole numbers, row s what rank s sends, made from one text::

    uniform              c[s, d] = n / P
    zipf:EXPONENT:SEED   every row is n in shares k^-EXPONENT / sum, k = 1..P; which rank is the
                         k-th most wanted is drawn from SEED, the same for all senders: tokens that
                         go to popular experts, one expert per rank
    file:DIGEST:PATH     P lines of P numbers >= 0; c is that matrix scaled to n P elements in all

with n the elements of the message: what a rank sends, in a matrix on average. Shares are cut where
the rounded running sum stands, so that every total is exact, every count is within one of its
share, and what is 0 stays 0.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .case import UNIFORM
from .errors import CaseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .case import Case

__all__ = ["busiest_bytes", "counts_of", "displacements", "parse_counts"]

_ZIPF = re.compile(r"zipf:(\d{1,3}(?:\.\d{1,6})?)(?::(\d{1,10}))?", re.ASCII)
_FILE = re.compile(r"file:([0-9a-f]{16}):(.+)", re.ASCII)
_SPLITMIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def parse_counts(text: str, seed: int) -> str:
    """Return the text that a `Case` holds, from what the command line says.

    Parameters
    ----------
    text : ``uniform``, ``zipf:EXPONENT``, or the path of a matrix file
    seed : decides which ranks are wanted most

    Raises
    ------
    CaseError
        If it is none of these.

    >>> parse_counts("zipf:1.2", 7)
    'zipf:1.2:7'
    """
    if text == UNIFORM:
        return text
    zipf = _ZIPF.fullmatch(text)
    if zipf is not None:
        return f"zipf:{zipf[1]}:{zipf[2] or seed}"
    if text.startswith("zipf") or not _is_file(text):
        raise CaseError(
            f"counts: found {text!r}, expected {UNIFORM}, zipf:EXPONENT or the path of a file"
        )
    return f"file:{_digest(_content(text))}:{Path(text).absolute()}"


def counts_of(case: Case, ranks: int) -> NDArray[np.int64]:
    """Return the matrix of a case, shape (from, to), in elements; not to be changed.

    Raises
    ------
    CaseError
        If the text cannot be read, or its file is no such matrix or another one than before.
    """
    return _matrix(case.counts, case.elements, ranks)


def displacements(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each block begins when blocks lie one behind the other, shape as `counts`."""
    return np.asarray(np.cumsum(counts) - counts, np.int64)


def busiest_bytes(case: Case, ranks: int) -> int:
    """Return the most bytes that any rank must send to, or receive from, the other ranks."""
    counts = counts_of(case, ranks)
    own = np.diag(counts)
    most = max(int((counts.sum(axis) - own).max()) for axis in (0, 1))
    return most * case.element_bytes


@lru_cache(maxsize=4)
def _matrix(text: str, elements: int, ranks: int) -> NDArray[np.int64]:
    zipf, file = _ZIPF.fullmatch(text), _FILE.fullmatch(text)
    if text == UNIFORM:
        counts = _for_all(_shares(np.ones(ranks), elements))
    elif zipf is not None:
        shares = _popularity(float(zipf[1]), int(zipf[2] or 0), ranks)
        counts = _for_all(_shares(shares, elements))
    elif file is not None:
        weights = _read(file[2], file[1], ranks)
        counts = _shares(weights.ravel(), elements * ranks).reshape(ranks, ranks)
        counts.flags.writeable = False
    else:
        raise CaseError(
            f"case.counts: found {text!r}, expected {UNIFORM}, zipf:EXPONENT:SEED or "
            "file:DIGEST:PATH"
        )
    return counts


def _for_all(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same row for every sender; takes the memory of one."""
    table: NDArray[np.int64] = np.broadcast_to(row, (len(row), len(row)))
    return table


def _shares(weights: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to the weights, with exactly that sum."""
    running = np.cumsum(weights)
    ends = np.rint(running / running[-1] * total).astype(np.int64)
    return np.asarray(np.diff(ends, prepend=np.int64(0)), np.int64)


def _popularity(exponent: float, seed: int, ranks: int) -> NDArray[np.float64]:
    """The share of every rank, in the order of ranks; sums to about 1."""
    order = sorted(range(ranks), key=lambda rank: _mixed(seed, rank))
    shares = np.empty(ranks)
    shares[order] = np.arange(1.0, ranks + 1) ** -exponent
    return np.asarray(shares / shares.sum())


def _mixed(seed: int, rank: int) -> int:
    """A 64-bit hash (the finaliser of splitmix64: Steele, Lea and Flood, OOPSLA 2014)."""
    word = (seed * 2**32 + rank + 1) * _SPLITMIX[0] % 2**64
    word = (word ^ word >> 30) * _SPLITMIX[1] % 2**64
    word = (word ^ word >> 27) * _SPLITMIX[2] % 2**64
    return word ^ word >> 31


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # longer than a name can be
        return False


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CaseError(f"counts: {path}: {error.strerror}, expected a matrix") from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _read(path: str, digest: str, ranks: int) -> NDArray[np.float64]:
    content = _content(path)
    if _digest(content) != digest:
        raise CaseError(
            f"counts: {path}: found digest {_digest(content)}, expected {digest}: the file changed"
        )
    try:
        rows = [
            [float(word) for word in line.replace(",", " ").split()]
            for line in content.decode("utf-8").splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        ]
    except ValueError as error:
        raise CaseError(f"counts: {path}: found {error}, expected numbers") from error
    widths = {len(row) for row in rows}
    if len(rows) != ranks or widths != {ranks}:
        found = f"{len(rows)} lines of {', '.join(str(w) for w in sorted(widths)) or 'no'} numbers"
        raise CaseError(f"counts: {path}: found {found}, expected {ranks} of {ranks}: one per rank")
    weights = np.array(rows)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise CaseError(f"counts: {path}: expected numbers >= 0 that are not all 0")
    return weights
