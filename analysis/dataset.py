"""Dataset: campaigns as columns of equal length, one row per series, ranks and size.

A row pools the launches that measured the same thing. Rows of other origin (logs, tables) are built
as `Row` values too, with -1, NaN or "" where their source is silent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench.errors import CaseError
from ..bench.sample import default_statistic
from ..bench.units import format_bytes
from .physics import suspicion
from .summary import bus_bytes, launch_sd, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from ..bench.environment import Environment, Location
    from ..bench.imported import ImportedTable
    from ..bench.protocol import Protocol
    from ..bench.sample import Campaign, Launch, Measurement

__all__ = [
    "UNITS",
    "Dataset",
    "Row",
    "SeriesKey",
    "dataset_of",
    "imported_key_of",
    "key_of",
    "spread_of",
]

UNITS = {
    "message_bytes": "bytes",
    "median_s": "s",
    "low_s": "s",
    "high_s": "s",
    "clock_error_s": "s",
    "busiest_bytes": "bytes",
}
"""Column -> unit; columns that are not named are names or counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesKey:
    """What must be equal for rows to lie on one curve over ranks and sizes."""

    collective: str
    transport: str
    algorithm: str
    protocol: str
    sync: str
    dtype: str
    placement: str
    memory: str
    statistic: str = "local_max"
    operation: str = "sum"
    root: int = 0
    counts: str = "uniform"
    """How an all_to_allv divides its message, as in a `Case`."""

    peer: int = -1
    skew: str = ""
    buffers: str = ""
    """What is special about them: registered with NCCL, or staged in chunks; "" for nothing."""

    system: str = ""
    """Machine, where a table holds several; "" for a campaign, which is one machine's."""

    varied: str = ""
    """Environment variables that the sweep varied, as ``NAME=VALUE NAME=VALUE``."""

    load: str = ""
    """What other ranks did meanwhile, as `collcast.bench.case.Case` says it."""

    @property
    def choice(self) -> str:
        """Algorithm, and what the library was made to choose."""
        return f"{self.algorithm} {self.varied}".strip()

    def __str__(self) -> str:
        first = self.collective, self.transport, self.choice, self.protocol, self.sync, self.dtype
        return (
            " ".join((*first, self.placement, self.memory))
            + (f" {self.counts}" if self.collective == "all_to_allv" else "")
            + (f" {self.root}-{self.peer}" if self.peer >= 0 else "")
            + (f" skew {self.skew}" if self.skew else "")
            + (f" {self.buffers}" if self.buffers else "")
            + (f" {self.system}" if self.system else "")
            + (f" beside {self.load}" if self.load else "")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One series at one number of ranks and one size."""

    key: SeriesKey
    ranks: int
    message_bytes: int
    repetitions: int
    """Samples over all launches; -1 unknown."""

    launches: int
    median_s: float
    low_s: float
    """Lower end of the 95 % interval of the median, in seconds; NaN where none can be given."""

    high_s: float
    wrong: int = -1
    """Wrong elements over all ranks and launches; -1 where nothing was checked."""

    suspect: str = ""
    """Why the figure cannot be believed; "" if it can."""

    labels: tuple[str, ...] = ()
    """Keys of `collcast.bench.sample.LABELS` that hold."""

    hosts: int = -1
    """Different hosts used; -1 unknown, likewise for the levels of the network."""

    nvlink_domains: int = -1
    leaves: int = -1
    pods: int = -1
    cores: int = -1
    """Cores that ranks may use on all those hosts together; -1 unknown."""

    clock_error_s: float = 0.0
    """Bound on what the common clock may add to the time; 0 where hosts' stamps are not mixed."""

    spread: float = float("nan")
    """Logarithm of the median over the fifth percentile of the iterations; NaN unknown."""

    busiest_bytes: int = -1
    """The most that any rank sent to or received from the others; -1: as the collective says."""

    @property
    def bus_bytes(self) -> float:
        """Bytes whose quotient by the time is the bus bandwidth; NaN where that has no meaning."""
        place = (self.key.collective, self.ranks, self.message_bytes)
        return bus_bytes(*place, self.busiest_bytes if self.busiest_bytes >= 0 else None)

    @property
    def clock_matters(self) -> bool:
        """Whether the clock's error must be told with the time: it exceeds a tenth of it."""
        return self.clock_error_s > 0.1 * self.median_s

    @property
    def fit_for_fitting(self) -> bool:
        """Whether the row may enter a fit: no label, not suspect, not wrong, a positive time."""
        return not self.labels and not self.suspect and self.wrong <= 0 and self.median_s > 0

    @property
    def launch_sd(self) -> float:
        """Standard deviation of log time between launches; NaN where it is not known."""
        return launch_sd(self.low_s, self.high_s, self.launches)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows, also as NumPy columns."""

    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def column(self, name: str) -> NDArray[Any]:
        """Return one column, shape (row,), in the unit that `UNITS` names.

        Raises
        ------
        CaseError
            If there is no such column.
        """
        if name in _KEY_FIELDS:
            return np.array([getattr(row.key, name) for row in self.rows])
        if name in _ROW_FIELDS:
            return np.array([_plain(getattr(row, name)) for row in self.rows])
        raise CaseError(
            f"dataset.column: found {name!r}, expected one of {', '.join(self.column_names())}"
        )

    @staticmethod
    def column_names() -> tuple[str, ...]:
        """Return the names of all columns, key first."""
        return _KEY_FIELDS + _ROW_FIELDS

    def series(self) -> dict[SeriesKey, Dataset]:
        """Return the rows by series, in order of first appearance, each by ranks and size."""
        found: dict[SeriesKey, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.key, []).append(row)
        return {
            key: Dataset(tuple(sorted(rows, key=lambda row: (row.ranks, row.message_bytes))))
            for key, rows in found.items()
        }

    def find(self, ranks: int, message_bytes: int) -> Row | None:
        """Return the trusted row of a one-series dataset at this place, if there is one."""
        for row in self.rows:
            trusted = not row.suspect and row.wrong <= 0 and row.median_s > 0
            if trusted and (row.ranks, row.message_bytes) == (ranks, message_bytes):
                return row
        return None


_KEY_FIELDS = tuple(field.name for field in fields(SeriesKey))
_ROW_FIELDS = tuple(field.name for field in fields(Row) if field.name != "key")


def _plain(value: Any) -> Any:
    """Return labels as one text, so that the column is no ragged array."""
    return "+".join(value) if isinstance(value, tuple) else value


def dataset_of(campaign: Campaign, statistic: str | None = None) -> Dataset:
    """Return the rows of a campaign.

    Parameters
    ----------
    campaign
        What was measured.
    statistic
        One of `collcast.bench.sample.STATISTICS`; None takes the default of each launch's start
        synchronisation.
    """
    groups: dict[Any, list[Measurement]] = {}
    for measurement in campaign.measurements:
        hosts = campaign.location_of(measurement).hosts
        place = (measurement.ranks, measurement.case.message_bytes, measurement.labels, hosts)
        key = key_of(measurement, campaign.launch_of(measurement), statistic)
        groups.setdefault((key, *place), []).append(measurement)
    measured = tuple(_row(campaign, group[0], members) for group, members in groups.items())
    return Dataset(measured + tuple(_imported_rows(campaign.imported)))


def key_of(measurement: Measurement, launch: Launch, statistic: str | None) -> SeriesKey:
    """Return the series of a measurement, by the statistic that `dataset_of` would take."""
    case, protocol = measurement.case, launch.protocol
    return SeriesKey(
        collective=case.collective,
        transport=case.transport,
        algorithm=case.algorithm,
        protocol=protocol.mode if protocol.metric == "host" else f"{protocol.mode} device",
        buffers=_buffers(case.transport, protocol),
        sync=protocol.synchronisation,
        dtype=case.dtype,
        placement=case.placement,
        memory=case.memory,
        statistic=statistic or default_statistic(protocol),
        operation=case.operation,
        root=case.root,
        counts=case.counts,
        peer=case.peer,
        skew=protocol.skew,
        varied=" ".join(f"{name}={value}" for name, value in launch.environment.varied.items()),
        load=case.load,
    )


def _buffers(transport: str, protocol: Protocol) -> str:
    """What is special about the buffers of a transport."""
    if transport == "staged" and protocol.staging_chunk_bytes:
        return f"chunks of {format_bytes(protocol.staging_chunk_bytes)}"
    if transport == "nccl" and protocol.registration != "none":
        return protocol.registration
    return ""


def _row(campaign: Campaign, key: SeriesKey, members: list[Measurement]) -> Row:
    first = members[0]
    launches = _by_launch(key.statistic, members)
    summary = summarise(launches)
    spreads = [spread_of(*np.quantile(part, [0.5, 0.05]).tolist()) for part in launches]
    checked = [found.wrong for found in members if found.wrong is not None]
    place = (key.collective, first.ranks, first.case.message_bytes)
    suspects = {found.suspect for found in members} | {
        suspicion(*place, summary.median_s, first.busiest_bytes)
    }
    location = campaign.location_of(first)
    return Row(
        key=key,
        ranks=first.ranks,
        message_bytes=first.case.message_bytes,
        repetitions=sum(found.sample.repetitions for found in members),
        launches=len({found.launch for found in members}),
        median_s=summary.median_s,
        low_s=summary.low_s,
        high_s=summary.high_s,
        spread=float(np.median(spreads)),
        wrong=sum(checked) if checked else -1,
        suspect="+".join(sorted(suspects - {""})),
        labels=first.labels,
        hosts=location.hosts or -1,
        nvlink_domains=_different(location.nvlink_domain),
        leaves=_different(location.leaf),
        pods=_different(location.pod),
        cores=_cores(campaign.launch_of(first).environment, location),
        busiest_bytes=-1 if first.busiest_bytes is None else first.busiest_bytes,
        clock_error_s=_clock_error_s(key.statistic, members),
    )


def _by_launch(statistic: str, members: list[Measurement]) -> list[NDArray[np.float64]]:
    """Samples per launch: groups that measured at once are one launch, in whose order they come."""
    found: dict[int, list[NDArray[np.float64]]] = {}
    for member in members:
        found.setdefault(member.launch, []).append(member.sample.seconds(statistic))
    return [np.concatenate(parts) for parts in found.values()]


def _clock_error_s(statistic: str, members: list[Measurement]) -> float:
    """local_max takes two stamps of one rank, device none; the others mix those of several."""
    if statistic in {"local_max", "device"}:
        return 0.0
    return max(found.clock_error_ns / found.sample.batch for found in members) * 1e-9


def _imported_rows(tables: Iterable[ImportedTable]) -> Iterator[Row]:
    """Yield a row per place of a table; cells of the same place are pooled as launches are.

    Percentiles and extremes that a source gives are no interval of a median; they say how far
    iterations spread.
    """
    groups: dict[Any, list[dict[str, Any]]] = {}
    for table in tables:
        for index in range(len(table)):
            cell = table.row(index)
            place = tuple(cell[name] for name in _PLACE_FIELDS)
            groups.setdefault((imported_key_of(cell), table.digest, place), []).append(cell)
    for (key, _, _), cells in groups.items():
        first = cells[0]
        summary = summarise([np.array([cell["time_s"]]) for cell in cells])
        checked = [cell["wrong"] for cell in cells if cell["wrong"] >= 0]
        per_node, ranks = first["ranks_per_node"], first["ranks"]
        yield Row(
            key=key,
            ranks=ranks,
            message_bytes=first["message_bytes"],
            repetitions=first["repetitions"] * len(cells) if first["repetitions"] >= 0 else -1,
            launches=len(cells),
            median_s=summary.median_s,
            low_s=summary.low_s,
            high_s=summary.high_s,
            spread=float(np.median([spread_of(cell["time_s"], cell["low_s"]) for cell in cells])),
            wrong=sum(checked) if checked else -1,
            suspect=first["suspect"],
            hosts=-(-ranks // per_node) if per_node > 0 else -1,
        )


def spread_of(median_s: float, low_s: float) -> float:
    """Return a row's `spread`, from the fifth percentile (or the least) of its iterations.

    >>> round(spread_of(1.1, 1.0), 3), spread_of(1.0, 1.1)
    (0.095, nan)
    """
    return float(np.log(median_s / low_s)) if 0 < low_s <= median_s else float("nan")


_PLACE_FIELDS = ("ranks", "ranks_per_node", "message_bytes", "repetitions", "suspect")


def imported_key_of(cell: dict[str, Any]) -> SeriesKey:
    """Return the series of an imported cell."""
    return SeriesKey(
        algorithm="",
        protocol=cell["mode"],
        sync="",
        **{
            name: cell[name]
            for name in ("collective", "transport", "dtype", "placement", "memory", "statistic")
        },
        operation=cell["operation"],
        system=cell["system"],
    )


def _cores(environment: Environment, location: Location) -> int:
    """Cores on the hosts used, -1 where not recorded."""
    used = set(location.host) or set(environment.cores_per_host)
    return sum(n for host, n in environment.cores_per_host.items() if host in used) or -1


def _different(names: Iterable[str]) -> int:
    """Count the different names; -1 where nothing or not everything is known."""
    found = set(names)
    return -1 if not found or "" in found else len(found)
