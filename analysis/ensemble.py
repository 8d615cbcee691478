"""Ensemble: the members of a series conditioned on its cells, and draws of times anywhere.

The cost model's parameters are uncertain too: a draw that takes the model multiplies its growth
beyond the data, T(P, n) / T(P_max, n), by that of a bootstrap over that of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .cells import Cells, cells_of, edge_of
from .curve import fit_curve
from .drift import Drifting, drifting
from .member import Local, Steady
from .process import MEAN_DRIFT, condition, doubt
from .select import draw_log_s, roll, select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .curve import Curve
    from .dataset import Dataset
    from .process import Process
    from .select import Origins, Selection

__all__ = ["MEMBERS", "Ensemble", "build"]

MEMBERS = ("physics", "local", "steady")
"""Names of the members, in order."""

_MISFITS = (0.01, 0.03, 0.1, 0.3)
"""Of physics and local, standard deviations of log time: from nothing to a protocol's jump."""

_STEADY_MISFITS = (1.0,)  # it has no sizes of its own
_DRIFT = 0.02
"""Standard deviation of the drift per doubling of physics and local: truths that drift by 1 to 2 %
are covered with it, and missed without (trials with known truths)."""

_DRIFT_FEW = 0.01  # below so many scales a drift is noise
_RATE_DRIFT = 2.5
"""Prior deviation of a rate's drift over that of latency: hash routing takes 2 to 6 % per doubling
(`efficiency`), a tapered network more."""

_CROWDING = 0.03
"""What all-to-all loses per doubling on top of `MEAN_DRIFT`: flows grow with the square of ranks
and meet in the core of the network. With neither, twice the fitted scale was slower than forecast
by 6 % on Alps and by 4 % on Leonardo (holdouts 4, 8, 32): the other's figure serves each well."""

_FIFTH = 1.6449  # standard deviations that the fifth percentile lies below a normal median
_FEW_SCALES = 6
_STEADY_DRIFT = 0.2  # it stands for every growth that the formulas do not have
_LEAST_SCALES = 3  # below an origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """Conditioned members and how they did on scales held back."""

    curve: Curve
    cells: Cells
    processes: tuple[Process, ...]
    """In the order of `MEMBERS`."""

    origins: Origins | None
    selections: dict[float, Selection] = field(default_factory=dict)
    """What `select` said, by size: it does not depend on the scale."""

    @property
    def physics(self) -> Drifting:
        """The cost model, with its drift."""
        member = self.processes[0].member
        assert isinstance(member, Drifting), "physics comes first"
        return member

    @property
    def doubt(self) -> float:
        """How far the series is thought capable of what no formula says, 0 to 1."""
        return doubt(self.processes[0].misfit, self.physics.strayed)

    def drift_sd(self, ranks: int, sizes: Sequence[float]) -> NDArray[np.float64]:
        """Return how well the cost model's drift per doubling is known, shape (size,)."""
        return self.physics.drift_sd(self.cells.at(ranks, sizes))

    def weights(self, ranks: int, message_bytes: float) -> NDArray[np.float64]:
        """Return the members' weights at a place, shape (member,)."""
        return self._selection(float(self.cells.at(ranks, [message_bytes]).c[0])).weights

    def _selection(self, size: float) -> Selection:
        if size not in self.selections:
            self.selections[size] = select(self.origins, size, len(self.processes), self.doubt)
        return self.selections[size]

    def draw_s(
        self, ranks: int, sizes: Sequence[float], draws: int, seed: int
    ) -> NDArray[np.float64]:
        """Return draws of the time in a new launch, in seconds, shape (draw, size)."""
        places = self.cells.at(ranks, sizes)
        forecasts = np.array([process.log_s(places) for process in self.processes])
        last = self.cells.ranks.max()
        doublings = max(0.0, float(np.log2(ranks / last)))
        growth = self._growth(places, int(last)) if doublings else np.zeros((1, len(sizes)))
        drift_sd = doublings * self.physics.drift_sd(places)
        generator = np.random.default_rng((seed, ranks))
        found = np.empty((draws, len(sizes)))
        for j, size in enumerate(places.c.tolist()):
            logs, member = draw_log_s(
                [(float(mean), float(sd)) for mean, sd in forecasts[:, :, j]],
                self._selection(size),
                doublings,
                self.doubt,
                draws,
                generator,
            )
            picked = generator.integers(0, len(growth), draws)
            drift = drift_sd[j] * generator.standard_normal(draws)
            found[:, j] = np.exp(logs + np.where(member == 0, growth[picked, j] + drift, 0.0))
        return found

    def _growth(self, places: Cells, last: int) -> NDArray[np.float64]:
        """Return log growth beyond the data of the bootstraps over the fit's, (draw, size)."""
        if not len(self.curve.drawn_choice):
            return np.zeros((1, len(places.ranks)))
        ranks = int(places.ranks[0])
        here = places.message_bytes
        there = here * last / ranks if places.per_peer else here
        beyond = np.log(self.curve.draws_s(ranks, here) / self.curve.draws_s(last, there))
        fitted = np.log(self.curve.time_s(ranks, here) / self.curve.time_s(last, there))
        return np.asarray(np.nan_to_num(beyond - fitted, posinf=0.0, neginf=0.0))


def build(rows: Dataset, curve: Curve) -> Ensemble:
    """Condition the members on rows that may be fitted, and try them on scales held back."""
    cells = cells_of(rows, edge_of(rows, curve.sizes))
    time_s = rows.column("median_s")

    def held_back(known: NDArray[np.bool_]) -> list[Process]:
        part = type(rows)(tuple(row for row, used in zip(rows, known, strict=True) if used))
        return _members(part, fit_curve(part, bootstraps=0, prior=curve.prior), cells.where(known))

    return Ensemble(
        curve=curve,
        cells=cells,
        processes=tuple(_members(rows, curve, cells)),
        origins=roll(cells, time_s, held_back, _LEAST_SCALES),
    )


def _members(rows: Dataset, curve: Curve, cells: Cells) -> list[Process]:
    time_s = rows.column("median_s")
    spread = rows.column("spread") / _FIFTH
    few = len(np.unique(cells.ranks)) < _FEW_SCALES
    drift = _DRIFT_FEW if few else _DRIFT
    usual = _DRIFT, _RATE_DRIFT * _DRIFT
    physics = drifting(curve, rows, (drift, usual[1]), usual)
    local = Local(cells=cells, time_s=time_s)
    measured = cells, time_s, spread
    mean = MEAN_DRIFT + (_CROWDING if cells.per_peer else 0.0)
    return [
        condition(
            physics,
            *measured,
            misfits=_MISFITS,
            drift=_DRIFT_FEW,
            mean_drift=0.0,
            beyond=mean,
            strayed=physics.strayed,
        ),
        condition(local, *measured, misfits=_MISFITS, drift=drift, mean_drift=mean),
        condition(
            Steady(),
            *measured,
            misfits=_STEADY_MISFITS,
            drift=_STEADY_DRIFT,
            mean_drift=mean,
        ),
    ]
