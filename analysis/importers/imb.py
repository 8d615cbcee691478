"""Intel MPI Benchmarks, text of IMB-MPI1 and IMB-NBC.

A time is the mean over ranks of the mean over repetitions, t_avg, with t_min and t_max of the
ranks beside it; between two ranks, and of nonblocking operations, that of the slower rank. Sizes of
all-to-all, all-gather, gather and scatter are per peer and are multiplied by the ranks, which the
heading gives.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...bench.errors import ImportFormatError
from .cells import DTYPES, Context, is_real, size_of, us_to_s
from .osu import per_peer
from .table import collective_of

if TYPE_CHECKING:
    from .cells import Cells, Given

__all__ = ["SIGN", "ImbReader"]

SIGN = re.compile(r"#\s*Benchmarking \w+|\s*#bytes\s+#repetitions\s", re.ASCII)

_BENCHMARK = re.compile(r"#\s*Benchmarking\s+(\S+)\s*(.*)", re.ASCII)
_PROCESSES = re.compile(r"#\s*#processes = (\d{1,9})\b", re.ASCII)
_GROUPS = re.compile(r"#\s*\(\s*\d+ groups of (\d{1,9}) processes each", re.ASCII)
_DATATYPE = re.compile(r"#\s*MPI_Datatype( for reductions)?\s*:\s*(MPI_\w+)", re.ASCII)
_OPERATION = re.compile(r"#\s*MPI_Op\s*:\s*MPI_(\w+)", re.ASCII)
_TIMES = {
    "t_avg[usec]": "mean_over_ranks",
    "t_pure[usec]": "slowest_rank",
    "t[usec]": "max_over_ranks",
}
"""Columns of a time, and what each is: `IMB_output.c` prints the largest as ``t[usec]``."""

_REDUCTIONS = {"all_reduce", "reduce", "reduce_scatter", "reduce_scatter_block"}
_PAIRS = {"pingpong": "pingpong", "pingping": "pingping"}


class ImbReader:
    """Reads the lines of one process."""

    def __init__(self, cells: Cells, given: Given) -> None:
        self._cells = cells
        self._given = given
        self._collective = self._memory = self._operation = ""
        self._ranks: int | None = None
        self._dtypes = {False: "", True: ""}  # of reductions: True
        self._columns: list[str] = []
        self._contexts: dict[tuple[int, str], Context] = {}

    def read(self, text: str) -> bool:
        """Take one line; False if it is neither row nor heading.

        Raises
        ------
        ImportFormatError
            If a row comes and nobody said how many ranks there were.
        """
        text = text.strip()
        if text.startswith("#"):
            self._heading(text)
            return True
        if not text:
            return True
        return bool(self._columns and self._collective) and self._row(text.split())

    def _heading(self, text: str) -> None:
        words = text.split()
        if words[0] in {"#bytes", "#repetitions"}:
            self._columns = words
        elif match := _BENCHMARK.fullmatch(text):
            # "Multi-Allreduce", groups at once, and whatever has more to its name: not this one.
            plain = match[1].isidentifier() and not match[2]
            self._collective = _name(match[1]) if plain else ""
            self._ranks, self._columns = None, []
        elif match := _PROCESSES.match(text) or _GROUPS.match(text):
            self._ranks = int(match[1])
        elif match := _DATATYPE.match(text):
            self._dtypes[bool(match[1])] = DTYPES.get(match[2].lower(), match[2])
        elif match := _OPERATION.match(text):
            self._operation = match[1].lower()
        elif "MPI-1 part" in text and "GPU" not in text:
            self._memory = "host"
        else:
            return
        self._contexts.clear()

    def _row(self, words: list[str]) -> bool:
        if len(words) != len(self._columns) or not all(map(is_real, words)):
            return False
        cell = dict(zip(self._columns, words, strict=True))
        column = next((name for name in _TIMES if name in cell), "")
        time = cell.get(column, "")
        size_text, repetitions = cell.get("#bytes", self._no_size()), cell.get("#repetitions", "")
        if not (time and size_text.isdigit() and repetitions.isdigit() and len(repetitions) < 10):
            return False
        defect = float(cell.get("defects", "0")) > 0
        context = self._known(int(repetitions), "validation" if defect else "", _TIMES[column])
        size = size_of(size_text, context.ranks if per_peer(context.collective) else 1)
        if size is None:
            return False
        low_s, high_s = (
            us_to_s(cell[name]) if name in cell else _NAN for name in ("t_min[usec]", "t_max[usec]")
        )
        self._cells.add(context, size, us_to_s(time), low_s, high_s)
        return True

    def _no_size(self) -> str:
        """Return the size where the heading has none: only a barrier has none."""
        return "0" if self._collective.removeprefix("nonblocking_") == "barrier" else ""

    def _known(self, repetitions: int, suspect: str, statistic: str) -> Context:
        found = self._contexts.get((repetitions, suspect))
        if found is not None:
            return found
        ranks = self._ranks or self._given.ranks
        if not ranks:
            raise ImportFormatError("found a row without '#processes' above, expected --ranks")
        reduction = self._collective.removeprefix("nonblocking_") in _REDUCTIONS
        context = Context(
            collective=self._collective,
            transport="mpi",
            memory=self._memory,
            dtype=self._dtypes[reduction],
            operation=self._operation if reduction else "",
            mode="latency",
            statistic=statistic,
            suspect=suspect,
            system=self._given.system,
            ranks=ranks,
            ranks_per_node=self._given.ranks_per_node or -1,
            repetitions=repetitions,
        )
        self._contexts[repetitions, suspect] = context
        return context


_NAN = float("nan")


def _name(benchmark: str) -> str:
    """Return the collective of a benchmark such as ``Allreduce``, ``Ialltoall`` or ``PingPong``."""
    plain = benchmark.lower()
    if plain in {"reduce_scatter_block", "ireduce_scatter_block"}:
        return plain  # what its size counts is not stated: not united with reduce_scatter
    whole = collective_of(plain)
    if whole != plain or plain in _REDUCTIONS | {"barrier", "gather", "scatter"}:
        return whole
    if plain.startswith("i"):
        inner = _name(plain[1:])
        if inner in _REDUCTIONS or inner != plain[1:] or inner in {"barrier", "gather", "scatter"}:
            return f"nonblocking_{inner}"
    return {"gatherv": "gather_v", "scatterv": "scatter_v"}.get(plain, plain)
