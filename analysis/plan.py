"""Plan: which cell to measure next, to narrow the interval at a target most per GPU-second.

Log times at target and candidates are jointly normal, their covariance C the series' own::

    C_ij = w_0 [cov of log f_i, log f_j over bootstraps + v^2 d_i d_j]
           + sum_m w_m [q_m^2 min(d_i, d_j) K_4 + t_m^2 d_i d_j K_12]
    gain of j  = mean over sizes of C_tj^2 / (C_jj + s^2 + f^2 d_j)          its drop of variance
    C         <- C - C_.j C_j. / (C_jj + s^2 + f^2 d_j)                      once j is taken

f is the fitted model, d the doublings beyond the data, w the weights of the ensemble's members, v
the deviation of the drift, q, t and s walk, drift and noise of the members' errors,
K_l = exp(-|c - c'| / l), f^2 d what a launch adds with scale. C is scaled down where the target's
variance would exceed its shares `parameters` and `model`. A series of a forced algorithm is planned
with that one: the fit of another learns nothing from it. Launches are taken greedily by gain over
cost, with the sizes that make this largest,

    cost = P (launch + sum over sizes of (per case + repetitions x time))

until the budget is spent or nothing is gained, once from nothing and once after each launch that
may be dear; the best of these is told. What a launch and its iterations add remains.

Source: Chaloner and Verdinelli, "Bayesian experimental design: a review", Statistical Science 10
(1995), section 2.2 (c-optimality for a normal linear model; greedy).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .extrapolate import Extrapolator, supported_ranks
from .models import models_of
from .select import WALK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .curve import Curve
    from .fabrics import Fabric
    from .fit import Fit

__all__ = ["REPETITIONS", "Advice", "Cell", "advise", "cost_of"]

REPETITIONS = 100
LAUNCH_S = 10.0
"""Seconds from the start of a launch to its first sample: what jobs of a few hundred ranks take to
start, initialise and synchronise clocks."""

CELL_S = 0.5  # buffers, verification and warm-up of one case
_SIZE_LENGTH, _DRIFT_LENGTH = 4.0, 12.0  # of K, in doublings of size; those of `process`
_MOST_SIZES = 9  # candidates per number of ranks: sizes next to each other say the same
_FURTHER = 2  # numbers of ranks beyond the largest measured, each double the last
_DEAR = 0.25  # of the budget: launches that cost less cannot mislead a greedy choice by much
_LEAST_GAIN = 2e-3  # of the variance: less is not worth a case
_LEAST_WEIGHT = 0.1  # members of less lie in the tails beyond a 90 % interval
_TINY_S = 1e-12
_Z_90 = 1.6449


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One case to measure."""

    ranks: int
    message_bytes: int
    algorithm: str
    """Of the series: one that was forced, or the library's choice (``native`` or "")."""

    cost_s: float = 0.0
    """Seconds times ranks; of a launch that is there already, only the case's own."""

    width_90: float = 0.0
    """Upper over lower end of the target's 90 % interval once it is measured, sizes averaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to measure for one series."""

    series: str
    target: int
    budget_s: float
    cells: tuple[Cell, ...]
    """Launch by launch, in the order in which they pay."""

    reason: str
    """Why there is none; "" if there is."""

    width_90: float
    """As it is; 0 where there is no interval."""

    shares: dict[str, float]
    """Source -> share of the variance at the target, sizes averaged; on the fabric if there is no
    other way."""

    reducible: float
    """Share of the variance that measuring could remove."""

    commands: tuple[str, ...]

    @property
    def spent_s(self) -> float:
        """Cost of all cells."""
        return sum(cell.cost_s for cell in self.cells)


def advise(
    fit: Fit,
    target: int,
    budget_s: float,
    fabric: Fabric | None = None,
    most_ranks: int = 0,
    seed: int = 0,
) -> Advice:
    """Return the cells that narrow the interval at `target` ranks most, within a budget.

    Parameters
    ----------
    budget_s
        Seconds times ranks.
    fabric
        Where the target is not reached from data: says how much of the interval is its.
    most_ranks
        Of a launch; 0 takes 4 times the largest measured scale, within the measured tier.
    """
    extrapolator = Extrapolator(fit=fit, fabric=fabric, seed=seed)
    sizes = sorted({row.message_bytes for row in fit.rows if row.fit_for_fitting})
    inside = fit.curve is not None and target <= supported_ranks(fit)
    on_fabric = fabric is not None and target <= fabric.endpoints.value
    outcomes = (
        extrapolator.curve_at(target, sizes)
        if inside
        else extrapolator.fabric_at(target, sizes)
        if on_fabric and sizes and models_of(fit.key.collective)
        else []
    )
    shares = {
        source: float(np.mean([found.shares.get(source, 0.0) for found in outcomes]))
        for source in (outcomes[0].shares if outcomes else ())
    }
    logs = [np.log(found.times_s[4] / found.times_s[3]) for found in outcomes]
    nothing = Advice(
        series=str(fit.key),
        target=target,
        budget_s=budget_s,
        cells=(),
        reason=_why_not(fit, target, on_fabric),
        width_90=float(np.exp(np.mean(logs))) if logs else 0.0,
        shares=shares,
        reducible=0.0,
        commands=(),
    )
    if not inside:
        return nothing
    now = float(np.mean(logs) / (2 * _Z_90)) ** 2
    reducible = now * (shares.get("parameters", 0.0) + shares.get("model", 0.0))
    joint = _Joint.of(fit, target, sizes, _candidates(fit, sizes, most_ranks), reducible)
    reducible = joint.spread
    cells = _greedy(joint, budget_s, now)
    return replace(
        nothing,
        cells=cells,
        reason="" if cells else "nothing that the budget allows narrows the interval",
        reducible=reducible / now,
        commands=tuple(_commands(fit, cells)),
    )


def cost_of(cell: Cell, time_s: float, launched: bool = False) -> float:
    """Return what a case costs, in seconds times ranks."""
    return cell.ranks * (CELL_S + REPETITIONS * time_s + (0.0 if launched else LAUNCH_S))


def _why_not(fit: Fit, target: int, on_fabric: bool) -> str:
    if fit.curve is None:
        return fit.reason
    most = supported_ranks(fit)
    how = "its interval rests on the fabric" if on_fabric else "a --fabric would give an interval"
    return (
        f"{target:,} ranks lie beyond the measured tier of {most:,.0f}: no measurement inside it "
        f"narrows anything there, {how}; measure at several scales across that boundary"
    )


def _candidates(fit: Fit, sizes: Sequence[int], most_ranks: int) -> list[Cell]:
    """Return cells at the measured scales and beyond."""
    largest = max(fit.scales)
    most = most_ranks or int(min(supported_ranks(fit), largest << _FURTHER))
    further = [largest << k for k in range(1, 40) if largest << k < most]
    scales = [count for count in (*fit.scales, *further) if count <= most]
    scales += [most] if most > largest else []
    picked = np.linspace(0, len(sizes) - 1, min(_MOST_SIZES, len(sizes)))
    few = [sizes[round(float(index))] for index in picked]
    return [
        Cell(ranks=ranks, message_bytes=n, algorithm=fit.key.algorithm)
        for ranks in dict.fromkeys(scales)
        for n in few
    ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Joint:
    """Covariance of log time over the target's sizes, then the candidates."""

    cells: list[Cell]
    time_s: NDArray[np.float64]
    """Of candidates, shape (candidate,); so the next."""

    noise: NDArray[np.float64]
    """Variance of a measured log time besides."""

    covariance: NDArray[np.float64]
    targets: int

    @classmethod
    def of(
        cls, fit: Fit, target: int, sizes: Sequence[int], cells: list[Cell], reducible: float
    ) -> _Joint:
        """Build it, the target's mean variance at most `reducible`."""
        curve, ensemble = fit.curve, fit.ensemble
        assert curve is not None, "checked by the caller"
        assert ensemble is not None, "checked by the caller"
        places = [Cell(ranks=target, message_bytes=n, algorithm="") for n in sizes] + cells
        logs = np.log(np.maximum(_drawn_s(curve, places), _TINY_S))
        ranks = np.array([cell.ranks for cell in places], dtype=float)
        n = np.array([cell.message_bytes for cell in places], dtype=float)
        beyond = np.maximum(0.0, np.log2(ranks / max(fit.scales)))
        per_peer = ensemble.cells.per_peer
        c = np.log2(np.maximum(n / (ranks if per_peer else 1.0), 1.0))
        weights = np.mean([ensemble.weights(target, size) for size in sizes], axis=0)
        weights = np.where(weights < _LEAST_WEIGHT, 0.0, weights)
        weights /= weights.sum()
        apart = np.abs(c[:, None] - c)
        together = np.outer(beyond, beyond)
        walked = np.minimum(beyond[:, None], beyond)
        drift_sd = ensemble.physics.drift_sd(replace(ensemble.cells, ranks=ranks, message_bytes=n))
        found = weights[0] * (np.cov(logs.T) + np.outer(drift_sd, drift_sd) * together)
        noise = 0.0
        for weight, process in zip(weights, ensemble.processes, strict=True):
            found += weight * process.walk**2 * walked * np.exp(-apart / _SIZE_LENGTH)
            found += weight * process.drift**2 * together * np.exp(-apart / _DRIFT_LENGTH)
            noise += float(weight * process.noise**2)
        launched = (WALK * ensemble.doubt) ** 2 * beyond[len(sizes) :]
        own = float(np.diag(found)[: len(sizes)].mean())
        return cls(
            cells=cells,
            time_s=np.exp(np.median(logs[:, len(sizes) :], axis=0)),
            noise=noise + launched,
            covariance=found * min(1.0, reducible / own),
            targets=len(sizes),
        )

    @property
    def spread(self) -> float:
        """Mean variance at the target."""
        return float(np.diag(self.covariance)[: self.targets].mean())

    def gains(self) -> NDArray[np.float64]:
        """Return what measuring each candidate takes off the mean variance, shape (candidate,)."""
        cross = self.covariance[: self.targets, self.targets :]
        own = np.diag(self.covariance)[self.targets :] + self.noise
        found: NDArray[np.float64] = (cross**2).mean(axis=0) / own
        return found

    def after(self, indices: Sequence[int]) -> _Joint:
        """Return what is known once these candidates are measured."""
        covariance = self.covariance
        for index in indices:
            column = covariance[:, self.targets + index]
            own = column[self.targets + index] + self.noise[index]
            covariance = covariance - np.outer(column, column) / own
        return replace(self, covariance=covariance)

    def case_s(self, index: int) -> float:
        """Return what a candidate costs in a launch that is there, in seconds times ranks."""
        return cost_of(self.cells[index], float(self.time_s[index]), launched=True)

    def cost_s(self, indices: Sequence[int]) -> float:
        """Return what candidates of one launch cost, in seconds times ranks."""
        cases = sum(self.case_s(index) for index in indices)
        return cases + LAUNCH_S * max((self.cells[index].ranks for index in indices), default=0)


def _drawn_s(curve: Curve, places: Sequence[Cell]) -> NDArray[np.float64]:
    """Return bootstraps' times, shape (draw, place)."""
    columns = [
        curve.draws_s(place.ranks, np.array([float(place.message_bytes)])) for place in places
    ]
    return np.hstack(columns)


def _greedy(joint: _Joint, budget_s: float, now: float) -> tuple[Cell, ...]:
    """Return the better of: launches by gain over cost; the same after one that is dear."""
    least = _LEAST_GAIN * now
    scales = sorted({cell.ranks for cell in joint.cells})
    first = [_launch(joint, ranks, budget_s, least, whole=True) for ranks in scales]
    plans = [_fill(joint, [], budget_s, least)]
    dear = [part for part in first if joint.cost_s(part) > _DEAR * budget_s]
    plans += [_fill(joint, part, budget_s, least) for part in dear]
    chosen, _ = min(plans, key=lambda plan: plan[1].spread)
    return _told(joint, chosen, now)


def _fill(
    joint: _Joint, first: list[int], budget_s: float, least: float
) -> tuple[list[list[int]], _Joint]:
    """Add launches to a first one until nothing is gained; return them and what is then known."""
    launches = [first] if first else []
    joint, left = joint.after(first), budget_s - joint.cost_s(first)
    scales = sorted({cell.ranks for cell in joint.cells})
    while True:
        found = [_launch(joint, ranks, left, least) for ranks in scales]
        worth = [
            (joint.spread - joint.after(part).spread) / joint.cost_s(part) if part else 0.0
            for part in found
        ]
        best = int(np.argmax(worth))
        if not worth[best] > 0:
            return launches, joint
        launches.append(found[best])
        left -= joint.cost_s(found[best])
        joint = joint.after(found[best])


def _launch(
    joint: _Joint, ranks: int, budget_s: float, least: float, *, whole: bool = False
) -> list[int]:
    """Return the sizes to measure in a launch, those that gain most per cost first.

    As many as make gain over cost of the launch largest; if `whole`, all that gain anything.
    """
    mine = [index for index, cell in enumerate(joint.cells) if cell.ranks == ranks]
    chosen: list[int] = []
    best: tuple[float, list[int]] = (0.0, [])
    start = joint.spread
    while len(chosen) < len(mine):
        gains = joint.gains()
        free = [index for index in mine if index not in chosen]
        index = max(free, key=lambda k: gains[k] / joint.case_s(k))
        if gains[index] < least or joint.cost_s([*chosen, index]) > budget_s:
            break
        chosen.append(index)
        joint = joint.after([index])
        ratio = (start - joint.spread) / joint.cost_s(chosen)
        if whole or ratio > best[0]:
            best = (ratio, list(chosen))
    return best[1]


def _told(joint: _Joint, launches: list[list[int]], now: float) -> tuple[Cell, ...]:
    """Return the cells with what each costs and leaves."""
    found, before = [], joint.spread
    for launch in launches:
        for place, index in enumerate(launch):
            joint = joint.after([index])
            cost_s = joint.cost_s([index]) if place == 0 else joint.case_s(index)
            variance = max(now - (before - joint.spread), 0.0)
            width = float(np.exp(2 * _Z_90 * np.sqrt(variance)))
            found.append(replace(joint.cells[index], cost_s=cost_s, width_90=width))
    return tuple(found)


def _commands(fit: Fit, cells: Sequence[Cell]) -> list[str]:
    """Return one command per launch; a cell that was taken twice is a second launch."""
    from ..bench.units import format_bytes

    groups: dict[tuple[int, int], list[int]] = {}
    taken: dict[tuple[int, int], int] = {}
    for cell in cells:
        place = cell.ranks, cell.message_bytes
        taken[place] = taken.get(place, 0) + 1
        groups.setdefault((cell.ranks, taken[place]), []).append(cell.message_bytes)
    key = fit.key
    fixed = {
        "--transport": (key.transport, "mpi"), "--protocol": (key.protocol, "latency"),
        "--sync": (key.sync, "barrier"), "--memory": (key.memory, "host"),
        "--dtype": (key.dtype, "float32"), "--placement": (key.placement, "out_of_place"),
        "--operation": (key.operation, "sum"), "--algorithm": (key.algorithm, "native"),
    }  # fmt: skip
    options = "".join(
        f" {name} {value}" for name, (value, usual) in fixed.items() if value not in {"", usual}
    )
    return [
        f"collcast run {key.collective} --ranks {ranks} "
        f"--sizes {','.join(map(format_bytes, sorted(sizes)))} --repetitions {REPETITIONS}"
        f"{options} -o more-{number}.h5"
        for number, ((ranks, _), sizes) in enumerate(groups.items(), 1)
    ]
