"""OSU micro-benchmarks (MPI and NCCL, 5 to 7) and OMB-Py: collectives and point-to-point.

A log does not say how many ranks there were. Sizes of all-to-all, all-gather, gather and scatter
are per peer and are multiplied by the ranks. A latency is the mean over ranks of the mean over
iterations; with ``-f`` the least and largest mean of a rank stand beside it. A bandwidth becomes
the time of one message, size over bandwidth.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...bench.errors import ImportFormatError
from .cells import DTYPES, PER_PEER, Context, is_real, size_of, us_to_s
from .table import collective_of

if TYPE_CHECKING:
    from .cells import Cells, Given

__all__ = ["SIGN_OMB_PY", "SIGN_OSU", "OsuReader", "per_peer"]

SIGN_OSU = re.compile(r"#\s*OSU (?:MPI|NCCL|RCCL|XCCL)", re.ASCII)
SIGN_OMB_PY = re.compile(r"#\s*OMB(?: Python|-Py) ", re.ASCII)

_TITLE = re.compile(
    r"#\s*(OSU|OMB Python|OMB-Py)\s+(MPI|NCCL|RCCL|XCCL)(-\w+)?\s+(.+?)\s+Test(?:\s+v\S+)?\s*",
    re.ASCII,
)
_TITLES = re.compile(r"#\s*(?:OSU|OMB)\b", re.ASCII)
"""Of any test of the family, known or not."""

_COLUMN = re.compile(
    r"Size(?: \(B\))?(?=\s|$)|Iterations|Validation|Messages/s"
    r"|(?:Avg |Min |Max )?Latency ?\(us\)|Avg Lat\(us\)|P\d\d?(?:\.\d+)? Tail Lat\(us\)"
    r"|(?:Overall|Compute|Coll\. Init|MPI_Test|MPI_Wait|(?:Pure|Min|Max) Comm\.) ?\(us\)"
    r"|Overlap ?\(%\)|Bandwidth ?\(MB/s\)|P\d\d?(?:\.\d+)? Tail BW\(MB/s\)|MB/s",
    re.ASCII,
)
_TIMES = ("Avg Latency(us)", "Latency(us)", "Avg Lat(us)", "Pure Comm.(us)")
_RATES = ("Bandwidth(MB/s)", "MB/s")
_DATATYPE = re.compile(r"#\s*Datatype:\s*(MPI_\w+)", re.ASCII)
_BUFFERS = re.compile(r"#\s*Send Buffer on (\w+) .*Receive Buffer on (\w+) ", re.ASCII)
_NAMES = {
    "": "pingpong",
    "bandwidth": "unidirectional",
    "bidirectionalbandwidth": "bidirectional",
    "allreduce": "all_reduce",
    "alltoall": "all_to_all",
    "alltoallv": "all_to_allv",
    "alltoallw": "all_to_allw",
    "allgather": "all_gather",
    "allgatherv": "all_gather_v",
    "broadcast": "broadcast",
    "bcast": "broadcast",
    "reduce": "reduce",
    "reducescatter": "reduce_scatter",
    "reducescatterblock": "reduce_scatter_block",
    "gather": "gather",
    "gatherv": "gather_v",
    "scatter": "scatter",
    "scatterv": "scatter_v",
    "barrier": "barrier",
}
_PAIRS = {"pingpong", "unidirectional", "bidirectional"}
_FILLERS = re.compile(r"\b(?:latency|personalized|exchange|mpi)\b|[^a-z]")
_ODD = re.compile(r"\b(?:(non-?blocking)|persistent)\b", re.IGNORECASE)


class OsuReader:
    """Reads the lines of one process."""

    def __init__(self, cells: Cells, given: Given) -> None:
        self._cells = cells
        self._given = given
        self._collective = ""
        self._transport = self._memory = self._dtype = ""
        self._columns: list[str] = []
        self._context: Context | None = None

    def read(self, text: str) -> bool:
        """Take one line; False if it is neither row nor heading.

        Raises
        ------
        ImportFormatError
            If a row comes and nobody said how many ranks there were.
        """
        text = text.strip()
        if not text:
            return True
        if text.startswith("#"):
            self._heading(text)
            return True
        return bool(self._columns and self._collective) and self._row(text.split())

    def _heading(self, text: str) -> None:
        self._context = None
        if match := _TITLE.fullmatch(text):
            self._begin(match)
        elif _TITLES.match(text):
            self._collective = ""  # whose rows are not those of the test before
        elif match := _DATATYPE.match(text):
            self._dtype = DTYPES.get(match[1].lower(), match[1])
        elif match := _BUFFERS.match(text):
            sides = {match[1].lower(), match[2].lower()}
            self._memory = sides.pop() if len(sides) == 1 else ""
        elif not _COLUMN.sub("", text).strip(" #\t"):
            self._columns = [name.replace(" (", "(") for name in _COLUMN.findall(text)]
        elif _COLUMN.match(text.lstrip("# \t")):
            self._columns = []  # with a column that is not known: the heading before does not fit

    def _begin(self, match: re.Match[str]) -> None:
        _, library, device, title = match.groups()
        odd = _ODD.search(title)
        plain = _FILLERS.sub("", _ODD.sub("", title).lower())
        name = _NAMES.get(plain, "")
        if odd and name:
            name = f"{'nonblocking' if odd[1] else 'persistent'}_{name}" * (name not in _PAIRS)
        self._collective = name
        self._transport = library.lower()
        # An accelerated build measures host buffers too ("H H"): only its own line tells.
        self._memory = "host" if library == "MPI" and not device else ""
        self._memory = "device" if library != "MPI" else self._memory
        self._dtype = ""
        self._columns = []

    def _row(self, words: list[str]) -> bool:
        if len(words) != len(self._columns):
            return False
        cell = dict(zip(self._columns, words, strict=True))
        validation = cell.pop("Validation", "")
        if validation not in {"", "Pass", "Fail"} or not all(map(is_real, cell.values())):
            return False
        barrier = _plain(self._collective) == "barrier"
        size_text = cell.get("Size", cell.get("Size(B)", "0" if barrier else ""))
        time = next((cell[name] for name in _TIMES if name in cell), "")
        rate = next((cell[name] for name in _RATES if name in cell), "")
        if not size_text.isdigit() or not (time or rate):
            return False
        context = self._known(cell.get("Iterations", ""), failed=validation == "Fail")
        size = size_of(size_text, context.ranks if per_peer(context.collective) else 1)
        if size is None or (not time and float(rate) <= 0):
            return False
        low_s, high_s = (
            us_to_s(cell[name]) if name in cell else _NAN
            for name in ("Min Latency(us)", "Max Latency(us)")
        )
        time_s = us_to_s(time) if time else size / (float(rate) * 1e6)
        self._cells.add(context, size, time_s, low_s, high_s, 0 if validation == "Pass" else -1)
        return True

    def _known(self, iterations: str, *, failed: bool) -> Context:
        repetitions = int(iterations) if iterations.isdigit() and len(iterations) < 10 else -1
        suspect = "validation" if failed else ""
        old = self._context
        if old is not None and (old.repetitions, old.suspect) == (repetitions, suspect):
            return old
        pair = self._collective in _PAIRS
        ranks = 2 if pair else self._given.ranks
        if ranks is None:
            raise ImportFormatError(
                "found a row of a log that does not say how many ranks there were, expected --ranks"
            )
        self._context = Context(
            collective=self._collective,
            transport=self._transport,
            memory=self._memory,
            dtype=self._dtype,
            mode="latency"
            if self._collective not in {"unidirectional", "bidirectional"}
            else "throughput",
            statistic="mean" if pair else "mean_over_ranks",
            suspect=suspect,
            system=self._given.system,
            ranks=ranks,
            ranks_per_node=self._given.ranks_per_node or -1,
            repetitions=repetitions,
        )
        return self._context


_NAN = float("nan")


def per_peer(collective: str) -> bool:
    """Tell whether OSU and IMB print the size for one peer."""
    return collective_of(_plain(collective).removesuffix("_v")) in PER_PEER


def _plain(collective: str) -> str:
    return collective.removeprefix("nonblocking_").removeprefix("persistent_")
