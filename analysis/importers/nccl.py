"""nccl-tests and rccl-tests text, of every layout since 2.0.

The heading names the columns, so a row is read by the heading above it: with or without root or
redop, ``#wrong`` or ``error``, ``-I`` and ``-S`` columns, one placement or two. Times are means
over ranks of operations queued back to back. The size is that of a `Case` already.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ...bench.errors import ImportFormatError
from .cells import DTYPES, REAL, Context, size_of, us_to_s
from .table import collective_of

if TYPE_CHECKING:
    from .cells import Cells, Given

__all__ = ["CPU_TIME", "MEAN", "SIGN", "NcclReader", "per_node_of"]

MEAN = "mean_over_ranks"
CPU_TIME = "cpu_mean_over_ranks"
"""With ``-C 1``: how long the host was busy, which is no time of the operation."""

SIGN = re.compile(
    r"#\s+size\s+count\s+type\b|#\s*nThread \d+ nGpus |# nccl-tests version", re.ASCII
)
"""What no other format prints."""

_HEADING = re.compile(r"#\s+size\s+count\s", re.ASCII)
_PLACEMENTS = re.compile(r"(out-of-place|in-place)")
_STARTING = re.compile(r"#\s*Collective test starting:\s*(\w+?)_perf", re.ASCII)
_SETTINGS = re.compile(r"#\s*nThread\s", re.ASCII)
_ITERATIONS = re.compile(r"(?<!warmup )(?<!agg )\biters: (\d{1,9})\b", re.ASCII)
_AGGREGATED = re.compile(r"\bagg iters: (\d{1,9})\b", re.ASCII)
_DEVICE = re.compile(
    r"#\s+Rank\s+(\d{1,9})\s+(?:Group\s+(\d{1,9})\s+)?Pid\s+\d+\s+on\s+(\S+)\s+device\s", re.ASCII
)
_RCCL = ("rccl-tests: Version", "RCCL version")
"""What only rccl-tests prints, below a test's settings and without "#"."""

_VALUE = rf"({REAL}|N/A)"
_COLUMNS = {
    "size": r"(\d{1,20})",
    "count": r"\d{1,20}",
    "type": r"([a-z]\w{0,15})",
    "redop": r"([a-z]\w{0,15})",
    "root": r"-?\d{1,9}",
    "timestamp": r"\S+(?: \S+)?",
}


class _Side(NamedTuple):
    """Where the figures of one placement stand among a row's groups; 0 where they do not."""

    placement: str
    time: int
    wrong: int
    low: int
    high: int


class _Layout(NamedTuple):
    row: re.Pattern[str]
    dtype: int
    operation: int
    sides: tuple[_Side, ...]
    statistic: str


class NcclReader:
    """Reads the lines of one process."""

    def __init__(self, cells: Cells, given: Given) -> None:
        self._cells = cells
        self._given = given
        self._collective = ""
        self._announced = False
        self._transport = "nccl"
        self._repetitions = -1
        self._devices: dict[int, tuple[int, str]] = {}  # rank -> group, host
        self._placements: list[str] = []
        self._layout: _Layout | None = None
        self._contexts: dict[tuple[tuple[str, str], str], Context] = {}

    def read(self, text: str) -> bool:
        """Take one line; False if it is neither row nor heading.

        Raises
        ------
        ImportFormatError
            If a row comes whose ranks or collective nobody said.
        """
        if self._layout is not None:
            match = self._layout.row.fullmatch(text)
            if match is not None:
                return self._add(match, self._layout)
        stripped = text.lstrip()
        if stripped.startswith("#"):
            self._heading(stripped)
            return True
        if stripped.startswith(_RCCL):
            self._transport = "rccl"
            return True
        return not stripped

    def _heading(self, text: str) -> None:
        if match := _DEVICE.match(text):
            self._devices[int(match[1])] = int(match[2] or 0), match[3]
        elif _HEADING.match(text):
            self._layout = _layout(text.lstrip("#").split(), self._placements)
            self._contexts.clear()
        elif found := _PLACEMENTS.findall(text):
            self._placements = [name.replace("-", "_") for name in found]
        elif match := _STARTING.match(text):
            self._begin(collective_of(match[1]), announced=True)
        elif _SETTINGS.match(text):
            self._settings(text)
        elif "Collective test concluded" in text:
            self._begin("", announced=False)

    def _begin(self, collective: str, *, announced: bool) -> None:
        """Forget what belongs to the test before."""
        self._collective, self._announced = collective, announced
        self._transport = "nccl"
        self._repetitions = -1
        self._devices.clear()
        self._layout = None
        self._contexts.clear()

    def _settings(self, text: str) -> None:
        # Since 2.17 the test's name stands above this line; without it, it is another test's.
        self._begin(self._collective if self._announced else "", announced=False)
        iterations, aggregated = _ITERATIONS.search(text), _AGGREGATED.search(text)
        if iterations:
            self._repetitions = int(iterations[1]) * int(aggregated[1] if aggregated else 1)

    def _add(self, match: re.Match[str], layout: _Layout) -> bool:
        found = ("", *match.groups(""))
        size = size_of(found[1])
        if size is None:
            return False
        kind = found[layout.dtype], found[layout.operation]
        for placement, time, wrong, low, high in layout.sides:
            if found[time] == "N/A":
                continue
            context = self._contexts.get((kind, placement))
            if context is None:
                context = self._contexts[kind, placement] = self._context(
                    *kind, placement, layout.statistic
                )
            self._cells.add(
                context,
                size,
                us_to_s(found[time]),
                us_to_s(found[low]) if low else _NAN,
                us_to_s(found[high]) if high else _NAN,
                _wrong(found[wrong]) if wrong else -1,
            )
        return True

    def _context(self, dtype: str, operation: str, placement: str, statistic: str) -> Context:
        collective = self._collective or self._given.collective
        if not collective:
            raise ImportFormatError(
                "found a row of a test that the log does not name, expected --collective"
            )
        ranks, per_node = self._ranks()
        return Context(
            collective=collective,
            transport=self._transport,
            memory="device",
            dtype=DTYPES.get(dtype, dtype),
            operation="" if operation == "none" else operation,
            placement=placement,
            mode="throughput",
            statistic=statistic,
            system=self._given.system,
            ranks=ranks,
            ranks_per_node=per_node,
            repetitions=self._repetitions,
        )

    def _ranks(self) -> tuple[int, int]:
        """Return ranks of one communicator, and per node; from the list of devices if it is whole.

        Raises
        ------
        ImportFormatError
            If neither the list nor the user says.
        """
        groups = Counter(group for group, _ in self._devices.values())
        whole = set(self._devices) == set(range(len(self._devices)))
        if self._devices and whole and len(set(groups.values())) == 1:
            hosts = [host for group, host in self._devices.values() if group == min(groups)]
            return len(hosts), per_node_of(hosts)
        if self._given.ranks is None:
            found = "an incomplete list" if self._devices else "no list"
            raise ImportFormatError(f"found {found} of devices above a row, expected --ranks")
        return self._given.ranks, self._given.ranks_per_node or -1


_NAN = float("nan")


def per_node_of(hosts: list[str]) -> int:
    """Return how many ranks each host has; -1 where they differ."""
    counts = set(Counter(hosts).values())
    return counts.pop() if len(counts) == 1 else -1


def _wrong(text: str) -> int:
    """Return a number of wrong elements; -1 for N/A, and for the errors of versions before 2.13."""
    if text == "0":
        return 0
    if text.isdigit():
        return int(text) if len(text) < 19 else -1
    if text == "N/A" or "e-" in text:
        return -1
    value = float(text)
    return int(value) if value.is_integer() and value < 1e18 else -1


def _layout(columns: list[str], placements: list[str]) -> _Layout | None:
    """Return how rows under a heading read; None if the heading lacks what a row needs."""
    parts: list[str] = []
    group = 0
    places: dict[str, list[int]] = {}
    for column in columns:
        name = "time" if column == "cputime" else column
        part = _COLUMNS.get(name, _VALUE)
        # All-to-all of versions before 2.10 leaves the column of the operation blank.
        parts.append(rf"(?:\s+{part})?" if name == "redop" else rf"\s+{part}" if parts else part)
        group += re.compile(part).groups
        places.setdefault(name, []).append(group)
    times = places.get("time", [])
    if columns[:1] != ["size"] or len(times) not in {1, 2}:
        return None
    if len(placements) != len(times):
        placements = ["out_of_place", "in_place"] if len(times) == 2 else [""]
    wrong, low, high = (places.get(name, []) for name in ("#wrong", "i_min", "i_max"))
    sides = tuple(
        _Side(
            placement, time, *(found[at] if at < len(found) else 0 for found in (wrong, low, high))
        )
        for at, (placement, time) in enumerate(zip(placements, times, strict=True))
    )
    row = re.compile(r"\s*" + "".join(parts) + r"\s*", re.ASCII)
    one = {name: places.get(name, [0])[0] for name in ("type", "redop")}
    statistic = CPU_TIME if "cputime" in columns else MEAN
    return _Layout(row, one["type"], one["redop"], sides, statistic)
