"""Select: members weighed, and their intervals widened, by how they did on scales held back.

Rolling origin: for every scale s with enough below it, members are fitted to P <= s and forecast
all larger scales that were measured. Near a place of size c, with weights o_i = exp(-|c_i - c|/6),

    k_m^2 = (0.6 sum o_i min(z_i^2, 36) + 20) / (sum o_i + 20)      z = error / forecast deviation
    w     = argmax sum o_i log sum_m w_m t_4(y_i; mean_m, k_m sd_m)  on the simplex, by EM

A draw takes a member with probability w_m, its mean, k_m sd_m times Student's t with 4 degrees of
freedom, a walk, and steps up:

    log T = mean_m + k_m sd_m t_4 + f sqrt(g) z + sum of Poisson(p g) steps, each Exp(h)

g the doublings beyond the data. A step is what no data below it shows: a tier or a switch's limit
crossed, another algorithm. p counts in full where the best cost model misfits or drifts by 10 %
or more, in proportion below: what obeys a formula at every size and scale has shown none.

Source: Yao, Vehtari, Simpson and Gelman, "Using stacking to average Bayesian predictive
distributions", Bayesian Analysis 13 (2018); 0.6 makes the t_4 of unit scale give k = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .cells import Cells
    from .process import Process

__all__ = ["WALK", "Origins", "Selection", "draw_log_s", "roll", "select"]

_FREEDOM = 4.0
"""Degrees of freedom: tails for launches that met somebody else's traffic; 10 covered less."""

_SIZE_LENGTH = 6.0  # doublings of size over which members' merits are pooled; 3 and 50 scored alike
_PRIOR_CELLS = 20.0  # what the belief that a process's own deviation is right weighs, in cells
_VARIANCE_SHARE = 0.6  # t_4 of unit scale has variance 2 with tails cut at 6: about 1 / 0.6
_MOST_Z = 6.0
_FORGETTING = 0.5
"""An origin weighs sqrt(1/2) of the one a doubling later: with few scales models are told apart
badly, and the forecast wanted has them all."""

_PHYSICS_CELLS = 300.0
"""What a cost model without misfit weighs in advance, in cells: one formula with four parameters
that meets every size and scale is no accident."""

_LEAST_WIDENING = 0.5
_EM_ROUNDS = 40
STEP_CHANCE = 0.05
"""p, per doubling."""

STEP_HEIGHT = 0.4
"""h, of log time: with p chosen so that held-out scales of public tables, at 2, 4 and 8 times the
fitted ones, were covered as often as said, and with the best interval score."""

WALK = 0.05
"""f: what a launch differs from the next on another part of the machine grows with its size: on
Alps the ratio of slowest to fastest job was 1.01 at 4 ranks, 1.15 at 128 and 1.23 at 1,024."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origins:
    """Forecasts of scales held back."""

    mean: NDArray[np.float64]
    """Shape (member, forecast), log seconds; likewise `sd`."""

    sd: NDArray[np.float64]
    true: NDArray[np.float64]
    """Shape (forecast,), log seconds."""

    size: NDArray[np.float64]
    """Shape (forecast,), doublings; likewise the next."""

    age: NDArray[np.float64]
    """Doublings between the largest scale that was seen and the largest there is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """Weights and widenings at one place."""

    weights: NDArray[np.float64]
    """Shape (member,), sum 1."""

    widening: NDArray[np.float64]
    """Shape (member,)."""


def roll(
    cells: Cells,
    time_s: NDArray[np.float64],
    members: Callable[[NDArray[np.bool_]], list[Process]],
    least_scales: int,
) -> Origins | None:
    """Forecast scales held back; None where too few scales are known.

    Parameters
    ----------
    members
        Fits the members to chosen cells.
    """
    outer = cells.tier == cells.tier.max()
    scales = np.unique(cells.ranks[outer])
    parts = []
    for origin in scales[least_scales - 1 : -1]:
        later = outer & (cells.ranks > origin)
        places = cells.where(later)
        age = np.full(later.sum(), np.log2(scales[-1] / origin))
        found = np.array([process.log_s(places) for process in members(cells.ranks <= origin)])
        parts.append((found[:, 0], found[:, 1], np.log(time_s[later]), places.c, age))
    if not parts:
        return None
    mean, sd, true, size, age = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return Origins(mean=mean, sd=sd, true=true, size=size, age=age)


def select(origins: Origins | None, size: float, members: int, doubt: float) -> Selection:
    """Return what the forecasts of scales held back say about a place of this size."""
    from scipy.stats import t

    prior = np.ones(members)
    prior[0] += _PHYSICS_CELLS * (1 - doubt) ** 2
    weights = prior / prior.sum()
    if origins is None:
        return Selection(weights=weights, widening=np.ones(members))
    near = np.exp(-np.abs(origins.size - size) / _SIZE_LENGTH)
    near *= 2.0 ** (-_FORGETTING * origins.age)
    near *= len(near) / near.sum()
    z = np.minimum(np.abs(origins.true - origins.mean) / origins.sd, _MOST_Z)
    squares = _VARIANCE_SHARE * (near * z**2).sum(axis=1)
    widening = np.sqrt((squares + _PRIOR_CELLS) / (near.sum() + _PRIOR_CELLS))
    widening = np.maximum(widening, _LEAST_WIDENING)
    scale = origins.sd * widening[:, None]
    density = t.logpdf((origins.true - origins.mean) / scale, _FREEDOM) - np.log(scale)
    density = np.exp(density - density.max(axis=0))
    for _ in range(_EM_ROUNDS):
        share = weights[:, None] * density
        share /= share.sum(axis=0)
        weights = ((near * share).sum(axis=1) + prior) / (near.sum() + prior.sum())
    return Selection(weights=weights, widening=widening)


def draw_log_s(
    forecasts: list[tuple[float, float]],
    selection: Selection,
    doublings: float,
    doubt: float,
    draws: int,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return draws of log time at one place, shape (draw,), and the member of each.

    Parameters
    ----------
    forecasts
        Mean and standard deviation of every member.
    doublings
        How far beyond the largest measured scale; 0 inside.
    doubt
        As `process.doubt` says it.
    """
    mean, sd = np.array(forecasts).T
    chosen = generator.choice(len(mean), draws, p=selection.weights)
    found = mean[chosen] + (sd * selection.widening)[chosen] * generator.standard_t(_FREEDOM, draws)
    found += WALK * np.sqrt(doublings) * generator.standard_normal(draws) * doubt
    steps = generator.poisson(STEP_CHANCE * doubt * doublings, draws)
    found += np.where(steps, STEP_HEIGHT * generator.standard_gamma(np.maximum(steps, 1)), 0.0)
    return found, chosen
