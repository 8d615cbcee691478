"""Prior: what is believed of a fit's parameters before its cells, as cells of its own.

A belief about parameter p_j is one cell more, whose time is p_j alone, at the value believed:

    rho(log(p_j / value) / s)         beside the cells' rho(log(model / measured) / s), see `solve`

The loss grows no faster than |log|, so that a belief weighs as much as one cell: it decides what
the cells leave open and moves little else. In every bootstrap the value is drawn anew, lognormal
with `low` and `high` as its 5 % and 95 % quantiles, so that an interval says how vague it is.

    nccl     NCCL's tuning constants (facts/nccl.toml): a call, a hop over NVLink or the network,
             NVLink's rate; only for series of NCCL and RCCL
    fabric   a fabric's figures: overhead, latency and cable, efficiency x rate, reduction
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..bench.errors import CaseError
from .design import parameter_names
from .fabrics.draw import draw_costs, spread
from .fabrics.load import load_facts
from .models.model import tiers_used

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .dataset import Dataset, SeriesKey
    from .fabrics import Fabric
    from .fabrics.fabric import Pattern

__all__ = ["PRIORS", "Prior", "prior_of"]

PRIORS = ("none", "nccl", "fabric")
"""Names of priors; without one the cells speak alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prior:
    """Beliefs about some of a fit's parameters."""

    name: str
    places: tuple[int, ...]
    """Indices of the parameters, in the order of `design.parameter_names`."""

    values: NDArray[np.float64]
    """Shape (belief,), in the parameters' units."""

    drawn: NDArray[np.float64]
    """The same, drawn from their ranges, shape (draw, belief)."""

    def beside(
        self, columns: NDArray[np.float64], time_s: NDArray[np.float64], ranks: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return cells and beliefs: columns, times and ranks, beliefs last.

        Each belief is a scale of its own (-1, -2, ...): none is lost when scales are resampled.
        """
        unit = np.eye(columns.shape[2])[list(self.places)]
        more = np.broadcast_to(unit, (len(columns), *unit.shape))
        own = -np.arange(1, len(self.places) + 1)
        return (
            np.concatenate([columns, more], axis=1),
            np.concatenate([time_s, self.values]),
            np.concatenate([ranks, own]),
        )

    def draw(self, time_s: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """Return the times of `beside` with the beliefs of one draw."""
        found = time_s.copy()
        found[len(time_s) - len(self.places) :] = self.drawn[number % len(self.drawn)]
        return found


def prior_of(
    name: str,
    key: SeriesKey,
    used: Dataset,
    sizes: tuple[int, ...],
    fabric: Fabric | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Prior | None:
    """Return the prior of a series; None where it says nothing about it.

    Parameters
    ----------
    name
        One of `PRIORS`.
    used, sizes
        Rows that enter the fit, and the tiers that they tell apart.

    Raises
    ------
    CaseError
        If there is no such prior, or ``fabric`` has none or one that the ranks do not fit on.
    """
    if name not in PRIORS:
        raise CaseError(f"--prior: found {name!r}, expected one of {', '.join(PRIORS)}")
    beliefs: dict[str, NDArray[np.float64]] = {}
    if name == "nccl" and "ccl" in key.transport:
        beliefs = _of_nccl(key, used, len(sizes), draws, seed)
    elif name == "fabric":
        beliefs = _of_fabric(key, used, len(sizes), fabric, draws, seed)
    if not beliefs:
        return None
    names = parameter_names(len(sizes))
    chosen = np.stack(list(beliefs.values()), axis=1)
    return Prior(
        name=name,
        places=tuple(names.index(parameter) for parameter in beliefs),
        values=chosen[0],
        drawn=chosen[1:],
    )


def _of_nccl(
    key: SeriesKey, used: Dataset, tiers: int, draws: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return parameter -> value, then draws, shape (1 + draw,)."""
    facts = load_facts("nccl")
    generator = np.random.default_rng(seed)
    family = "tree" if "tree" in f"{key.transport} {key.algorithm} {key.varied}".lower() else "ring"
    outer = "net" if max(row.hosts for row in used) != 1 else "nvlink"

    def of(name: str) -> NDArray[np.float64]:
        return spread(facts[name], np.concatenate([[0.0], generator.standard_normal(draws)]))

    found = {"overhead": of(f"{family}_call")}
    if tiers == 1:
        found["alpha"] = of(f"{family}_{outer}")
        if outer == "nvlink":
            found["beta"] = 1 / of("nvlink_rate")
        return found
    found["alpha_0"], found["alpha_1"] = of(f"{family}_nvlink"), of(f"{family}_net")
    found["beta_0"] = 1 / of("nvlink_rate")
    return found


def _of_fabric(
    key: SeriesKey, used: Dataset, tiers: int, fabric: Fabric | None, draws: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    if fabric is None:
        raise CaseError("--prior fabric: found no --fabric, expected the one to believe")
    ranks = max(row.ranks for row in used)
    if ranks > fabric.endpoints.value:
        raise CaseError(
            f"--prior fabric: found {ranks} ranks, expected at most {fabric.endpoints.value:,.0f} "
            f"of {fabric.name}"
        )
    pattern: Pattern = "all_to_all" if key.collective == "all_to_all" else "exchange"
    at, drawn = (draw_costs(fabric, pattern, number, seed) for number in (0, draws))
    outermost = tiers_used(ranks, fabric.sizes) - 1
    places = [outermost] if tiers == 1 else [0, outermost]
    suffixes = [""] if tiers == 1 else ["_0", "_1"]
    found = {"overhead": np.concatenate([at.overhead_s, drawn.overhead_s])}
    for place, suffix in zip(places, suffixes, strict=True):
        found[f"alpha{suffix}"] = np.concatenate([at.alpha_s[:, place], drawn.alpha_s[:, place]])
    for place, suffix in zip(places, suffixes, strict=True):
        found[f"beta{suffix}"] = np.concatenate(
            [at.beta_s_per_byte[:, place], drawn.beta_s_per_byte[:, place]]
        )
    if key.collective in {"all_reduce", "reduce_scatter"}:
        found["gamma"] = np.concatenate([at.gamma_s_per_byte, drawn.gamma_s_per_byte])
    return found
