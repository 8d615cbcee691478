"""Validate: hide the largest scales of a series, forecast them from the others, compare.

A series takes part if at least 5 scales lie at P <= P_max / holdout; it is fitted on those and
asked for every other cell. Rows that may not be fitted (wrong, suspect, copies, ...) are not scored
either. The baselines see the same rows and are asked for the same cells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .baseline import BASELINES
from .dataset import Dataset
from .extrapolate import Extrapolator
from .fit import LEAST_SCALES_BEYOND, fit
from .score import Score, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from .dataset import Row, SeriesKey

__all__ = ["ENGINE", "Held", "Task", "Validation", "forecast", "tasks_of", "validate"]

ENGINE = "collcast"
"""Name of what is validated, beside those of the baselines."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """One series, cut in two."""

    key: SeriesKey
    known: Dataset
    hidden: tuple[Row, ...]
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Held:
    """What came of one task."""

    key: SeriesKey
    scales: tuple[int, ...]
    """Numbers of ranks that were known."""

    ranks: NDArray[np.int64]
    """Of the hidden cells, shape (cell,); likewise the next two."""

    message_bytes: NDArray[np.int64]
    true_s: NDArray[np.float64]
    noise: NDArray[np.float64]
    """Standard deviation of log time between launches; NaN where one launch was measured."""

    times_s: dict[str, NDArray[np.float64]]
    """By `ENGINE` or baseline: time, 50 and 90 % interval, shape (cell, 5); NaN for no number."""

    statuses: tuple[str, ...]
    reason: str
    """Why there is no forecast; "" if there is one."""

    @property
    def cluster(self) -> str:
        """Cells of one machine and collective err together."""
        return f"{self.key.system} {self.key.collective}".strip()

    def score(self, method: str = ENGINE) -> Score:
        """Return the figures of a method over the cells of this series."""
        return _score((self,), method)

    def at(self, cells: NDArray[np.bool_]) -> Held:
        """Return some of the cells."""
        columns = {
            name: getattr(self, name)[cells]
            for name in ("ranks", "message_bytes", "true_s", "noise")
        }
        times = {method: found[cells] for method, found in self.times_s.items()}
        statuses = tuple(s for s, kept in zip(self.statuses, cells, strict=True) if kept)
        return replace(self, **columns, times_s=times, statuses=statuses)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Validation:
    """All tasks of some files."""

    holdout: int
    """0 where not the largest scales were hidden but one in the middle."""

    held: tuple[Held, ...]
    skipped: dict[str, int]
    """Why series took no part -> how many."""

    suspect: dict[str, int]
    """Why rows cannot be believed, and were neither fitted nor scored -> how many."""

    @property
    def doubt(self) -> str:
        """`suspect` in words."""
        found = [f"{count} {reason}" for reason, count in sorted(self.suspect.items())]
        return ", ".join(found) or "none"

    def part(self, collective: str) -> Validation:
        """Return the tasks of one collective."""
        held = tuple(held for held in self.held if held.key.collective == collective)
        return replace(self, held=held)

    def in_common(self) -> Validation:
        """Return the cells for which every method has a number."""
        held = tuple(
            held.at(np.all([np.isfinite(t[:, 0]) for t in held.times_s.values()], axis=0))
            for held in self.held
        )
        return replace(self, held=held)

    def score(self, method: str = ENGINE) -> Score:
        """Return the figures of a method over all cells."""
        return _score(self.held, method)

    def statuses(self) -> dict[str, int]:
        """Count the statuses of all forecasts."""
        return dict(Counter(status for held in self.held for status in held.statuses))


def _score(parts: Sequence[Held], method: str) -> Score:
    names = [str(held.key) for held in parts for _ in held.true_s]
    clusters = [held.cluster for held in parts for _ in held.true_s]
    true = np.concatenate([np.empty(0), *(held.true_s for held in parts)])
    times = np.concatenate([np.empty((0, 5)), *(held.times_s[method] for held in parts)])
    noise = np.concatenate([np.empty(0), *(held.noise for held in parts)])
    return score(true, times, names, clusters, noise)


def tasks_of(rows: Dataset, holdout: float, seed: int = 0) -> tuple[list[Task], dict[str, int]]:
    """Cut every series that has enough scales; count the others by reason."""
    found, skipped = [], Counter[str]()
    for key, series in rows.series().items():
        used = [row for row in series if row.fit_for_fitting and row.ranks > 1]
        scales = sorted({row.ranks for row in used})
        hide = {count for count in scales if count * holdout > scales[-1]}
        kept = f"scales at most 1/{holdout:g} of most"
        if not holdout:
            hide, kept = set(scales[len(scales) // 2 :][:1]), "scales without the middle one"
        left = len(scales) - len(hide)
        if left < LEAST_SCALES_BEYOND:
            skipped[f"{left} of {LEAST_SCALES_BEYOND} {kept}"] += 1
            continue
        known = Dataset(tuple(row for row in used if row.ranks not in hide))
        hidden = tuple(row for row in used if row.ranks in hide)
        found.append(Task(key=key, known=known, hidden=hidden, seed=seed))
    return found, dict(skipped)


def validate(
    rows: Dataset,
    holdout: int = 8,
    seed: int = 0,
    run: Callable[[Callable[[Task], Held], Iterable[Task]], Iterator[Held]] = map,
) -> Validation:
    """Forecast the hidden scales of every series.

    Parameters
    ----------
    rows
        Any number of series.
    holdout
        The largest scales are those above P_max over this; 0 hides the middle one instead.
    seed
        Of all draws.
    run
        As `map`: applies a function to all tasks, in order, maybe at the same time.
    """
    tasks, skipped = tasks_of(rows, holdout, seed)
    return Validation(
        holdout=holdout,
        held=tuple(run(forecast, tasks)),
        skipped=skipped,
        suspect=dict(Counter(row.suspect for row in rows if row.suspect)),
    )


def forecast(task: Task) -> Held:
    """Fit the known rows and forecast the hidden ones."""
    places = [(row.ranks, row.message_bytes) for row in task.hidden]
    fitted = fit(task.key, task.known, seed=task.seed)
    times, statuses = _engine(Extrapolator(fit=fitted, seed=task.seed), places)
    return Held(
        key=task.key,
        scales=tuple(sorted({row.ranks for row in task.known})),
        ranks=np.array([ranks for ranks, _ in places]),
        message_bytes=np.array([size for _, size in places]),
        true_s=np.array([row.median_s for row in task.hidden]),
        noise=np.array([row.launch_sd for row in task.hidden]),
        times_s={ENGINE: times}
        | {name: predict(task.known, places) for name, predict in BASELINES.items()},
        statuses=statuses,
        reason=fitted.reason,
    )


def _engine(
    extrapolator: Extrapolator, places: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    by_place = {}
    for count in dict.fromkeys(ranks for ranks, _ in places):
        sizes = [size for ranks, size in places if ranks == count]
        for p in extrapolator.predict([count], sizes):
            by_place[count, p.message_bytes] = p
    found = [by_place[place] for place in places]
    times = [
        [
            np.nan if value is None else value * 1e-6
            for value in (p.time_us, p.low50_us, p.high50_us, p.low90_us, p.high90_us)
        ]
        for p in found
    ]
    return np.array(times).reshape(-1, 5), tuple(p.status for p in found)
