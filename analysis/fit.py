"""Fit: what came of fitting one series, its cost model and the ensemble that forecasts.

A series that allows no fit says why: that is a value, not an exception.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .caution import cautions_of
from .cells import same_layout
from .curve import BOOTSTRAPS, fit_curve
from .design import measured_tiers, parameter_names
from .ensemble import build
from .named import models_for
from .prior import prior_of

if TYPE_CHECKING:
    from .curve import Curve
    from .dataset import Dataset, Row, SeriesKey
    from .ensemble import Ensemble
    from .fabrics import Fabric

__all__ = ["LEAST_SCALES", "LEAST_SCALES_BEYOND", "Fit", "fit"]

LEAST_SCALES = 3
"""Fewer numbers of ranks leave no curve: two fix latency and bandwidth and nothing checks them."""

LEAST_SCALES_BEYOND = 5
"""Fewer support nothing beyond the largest: with 4, leaving scales out to test a model leaves too
few (trials on 2,048 GPUs of Alps: errors and intervals of no use below 5)."""

_FEWEST_SPARE_CELLS = 2  # cells beyond the number of parameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """What came of fitting one series."""

    key: SeriesKey
    curve: Curve | None
    """None where `reason` says why; likewise `ensemble`."""

    ensemble: Ensemble | None
    reason: str
    """Why there is no curve; "" if there is one."""

    scales: tuple[int, ...]
    """Numbers of ranks that entered."""

    cells: int
    """Rows that entered."""

    dropped: dict[str, int]
    """Why rows were left out -> how many."""

    rows: Dataset
    """All rows of the series, dropped ones too."""

    cautions: tuple[str, ...] = ()
    """What makes one wonder about the series, a line each that names it."""


def fit(
    key: SeriesKey,
    rows: Dataset,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    prior: str = "none",
    fabric: Fabric | None = None,
) -> Fit:
    """Fit one series.

    Parameters
    ----------
    key, rows
        As `Dataset.series` gives them.
    bootstraps
        Number of resamplings behind the intervals.
    seed
        Seed of the resampling: the same rows and seed give the same fit.
    prior, fabric
        What is believed of the parameters of its cost model, see `prior.prior_of`.
    """
    trusted = [row for row in rows if row.fit_for_fitting and row.ranks > 1]
    used = type(rows)(tuple(same_layout(trusted)))
    scales = tuple(sorted({row.ranks for row in used}))
    reason = _refusal(key, used, scales)
    believed = (
        None
        if reason
        else prior_of(prior, key, used, measured_tiers(used), fabric, max(bootstraps, 1), seed)
    )
    curve = None if reason else fit_curve(used, bootstraps, seed, believed)
    return Fit(
        key=key,
        curve=curve,
        ensemble=build(used, curve) if curve else None,
        reason=reason,
        scales=scales,
        cells=len(used),
        dropped=_dropped(rows, used),
        rows=rows,
        cautions=cautions_of(key, used, rows, LEAST_SCALES_BEYOND),
    )


def _refusal(key: SeriesKey, used: Dataset, scales: tuple[int, ...]) -> str:
    if not models_for(key):
        return f"no model of {key.collective}"
    if len(scales) < LEAST_SCALES:
        found = ", ".join(map(str, scales)) or "none"
        return (
            f"no curve: {len(scales)} of {LEAST_SCALES} numbers of ranks needed (usable: {found}; "
            "copies, oversubscribed, suspect and wrong rows do not count)"
        )
    needed = len(parameter_names(len(measured_tiers(used)))) + _FEWEST_SPARE_CELLS
    if len(used) < needed:
        return f"no curve: {len(used)} of {needed} cells needed; measure more sizes"
    return ""


def _dropped(rows: Dataset, used: Dataset) -> dict[str, int]:
    """Count the rows that a fit leaves out, each under its first reason."""
    found: dict[str, int] = {}
    entered = set(map(id, used))
    for row in rows:
        if id(row) not in entered:
            reason = _why(row)
            found[reason] = found.get(reason, 0) + 1
    return found


def _why(row: Row) -> str:
    if row.wrong > 0:
        return "wrong"
    if row.suspect:
        return "suspect"
    if row.labels:
        return row.labels[0]
    if not row.median_s > 0:
        return "no time"
    return "copy" if row.ranks == 1 else "layout"
