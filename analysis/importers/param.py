"""PARAM (comms of PyTorch): lines ``COMMS-RES-<collective>-<dtype> bytes elements p50 ...``.

A time is the median over ranks of each rank's mean, p50, with the least and largest beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...bench.errors import ImportFormatError
from .cells import DTYPES, Context, is_real, size_of, us_to_s
from .table import collective_of

if TYPE_CHECKING:
    from .cells import Cells, Given

__all__ = ["SIGN", "ParamReader"]

SIGN = re.compile(r"\s*COMMS-RES-\w", re.ASCII)

_ROW = re.compile(r"COMMS-RES-([a-z]\w{0,40})-([A-Za-z]\w{0,20})\S{0,80}", re.ASCII)
_WORLD = re.compile(r"\bworld[_ ]size['\"]?\s*[:=]\s*(\d{1,9})\b", re.ASCII)
_BACKEND = re.compile(r"\bbackend['\"]?\s*[:=]\s*['\"]?(nccl|gloo|mpi|ucc|rccl)\b", re.ASCII)
_DEVICE = re.compile(r"\bdevice['\"]?\s*[:=]\s*['\"]?(cuda|rocm|cpu)\b", re.ASCII)
_FIELDS = (9, 10)  # bytes, elements, p50, p75, p95, min, max, algbw, busbw; total time since 2023


class ParamReader:
    """Reads the lines of one process."""

    def __init__(self, cells: Cells, given: Given) -> None:
        self._cells = cells
        self._given = given
        self._ranks: int | None = None
        self._transport = self._memory = ""
        self._contexts: dict[str, Context] = {}

    def read(self, text: str) -> bool:
        """Take one line; False if it is neither row nor heading.

        Raises
        ------
        ImportFormatError
            If a row comes and nobody said how many ranks there were.
        """
        words = text.split()
        if not words:
            return True
        if words[0].startswith("COMMS-RES"):
            match = _ROW.fullmatch(words[0])
            return self._row(match, words[1:]) if match else len(words) > 1 and words[1] == "size"
        return self._setting(text)

    def _setting(self, text: str) -> bool:
        found = False
        if match := _WORLD.search(text):
            self._ranks, found = int(match[1]), True
        if match := _BACKEND.search(text):
            self._transport, found = match[1], True
        if match := _DEVICE.search(text):
            self._memory, found = ("host" if match[1] == "cpu" else "device"), True
        if found:
            self._contexts.clear()
        return found

    def _row(self, match: re.Match[str], words: list[str]) -> bool:
        if len(words) not in _FIELDS or not all(map(is_real, words)) or not words[0].isdigit():
            return False
        size = size_of(words[0])
        if size is None:
            return False
        context = self._contexts.get(match[0]) or self._context(match)
        time_s, low_s, high_s = (us_to_s(words[at]) for at in (2, 5, 6))
        self._cells.add(context, size, time_s, low_s, high_s)
        return True

    def _context(self, match: re.Match[str]) -> Context:
        ranks = self._ranks or self._given.ranks
        if not ranks:
            raise ImportFormatError("found a row without world_size above, expected --ranks")
        name = match[1].removesuffix("_base").removesuffix("_single")
        dtype = match[2].lower()
        context = Context(
            collective=collective_of(name),
            transport=self._transport,
            memory=self._memory,
            dtype=DTYPES.get(dtype, dtype),
            statistic="median_over_ranks",
            system=self._given.system,
            ranks=ranks,
            ranks_per_node=self._given.ranks_per_node or -1,
        )
        self._contexts[match[0]] = context
        return context
