"""Design matrix: a model's demand as columns of a fit that is linear in its parameters.

    T = overhead + sum_t steps_t alpha_t + sum_t (n bytes_t + filled_t) beta_t + n reduced gamma

An algorithm that pipelines over tiers pays the bytes of the outermost tier that it uses: the others
are carried at the same time and are faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .dataset import Dataset
    from .models import Model

__all__ = [
    "ONE_TIER",
    "Design",
    "design_of",
    "identify",
    "measured_tiers",
    "parameter_names",
    "parameter_unit",
]

ONE_TIER = (1 << 62,)
"""Sizes of a single tier that holds any number of ranks."""

_COLLINEAR = 1e-2
"""A column that differs from a combination of earlier ones by less than this share of itself, each
cell weighted by its time, would take its value from noise: cells are seldom known to
1 %."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Columns of one or several models over the same cells."""

    matrix: NDArray[np.float64]
    """Shape (model, cell, parameter), all parameters of `parameter_names`."""

    kept: tuple[int, ...]
    """Parameters that the cells can tell apart."""

    unidentified: tuple[str, ...]
    """Parameters that the model has and the cells cannot tell from earlier ones."""


def measured_tiers(rows: Dataset) -> tuple[int, ...]:
    """Return the tier sizes that rows show: one, or hosts of equal size and what joins them.

    Two only where some ranks stayed inside one host and others did not.
    """
    ranks, hosts = rows.column("ranks"), rows.column("hosts")
    if (hosts < 1).any() or not (hosts == 1).any() or not (hosts > 1).any():
        return ONE_TIER
    per_host = {int(count) for count in -(-ranks[hosts > 1] // hosts[hosts > 1])}
    if len(per_host) != 1 or max(ranks[hosts == 1]) > max(per_host) or min(per_host) < 2:
        return ONE_TIER
    return (per_host.pop(), *ONE_TIER)


def parameter_names(tiers: int) -> tuple[str, ...]:
    """Return the names of all parameters on so many tiers, in the order of columns."""
    suffixes = [""] if tiers == 1 else [f"_{tier}" for tier in range(tiers)]
    return (
        "overhead",
        *(f"alpha{suffix}" for suffix in suffixes),
        *(f"beta{suffix}" for suffix in suffixes),
        "gamma",
    )


def parameter_unit(name: str) -> str:
    """Return the unit of a parameter."""
    return "s/byte" if name.startswith(("beta", "gamma")) else "s"


def design_of(
    models: Sequence[Model],
    ranks: NDArray[np.int64],
    message_bytes: NDArray[np.int64] | NDArray[np.float64],
    sizes: tuple[int, ...],
) -> NDArray[np.float64]:
    """Return the columns of every model, shape (model, cell, parameter)."""
    found = np.empty((len(models), len(ranks), 2 * len(sizes) + 2))
    for row, model in zip(found, models, strict=True):
        for count in np.unique(ranks):
            cells = np.flatnonzero(ranks == count)
            n = message_bytes[cells].astype(float)
            demand = model.demand(int(count), sizes)
            sent = demand.bytes_per_byte.copy()
            if demand.pipelined:
                sent[: np.flatnonzero(sent)[-1]] = 0.0
            carried = n[:, None] * sent
            if demand.chunks is not None:
                carried += demand.filled_at(n)
            ones, reduced = np.ones((len(cells), 1)), n[:, None] * demand.reduced_per_byte
            row[cells] = np.hstack([ones, demand.steps_at(n), carried, reduced])
    return found


def identify(matrix: NDArray[np.float64], time_s: NDArray[np.float64], tiers: int) -> Design:
    """Return the design with the parameters that can be told apart, earlier ones preferred."""
    names = parameter_names(tiers)
    per_model = [_independent(columns / time_s[:, None]) for columns in matrix]
    kept = sorted(set().union(*per_model))
    used = [j for j in range(len(names)) if matrix[:, :, j].any()]
    missing = tuple(names[j] for j in used if j not in kept)
    return Design(matrix=matrix, kept=tuple(kept), unidentified=missing)


def _independent(columns: NDArray[np.float64]) -> set[int]:
    """Return the columns that are no combination of earlier ones."""
    basis: list[NDArray[np.float64]] = []
    found = set()
    for j, column in enumerate(columns.T):
        length = float(np.linalg.norm(column))
        if length == 0:
            continue
        rest = column / length
        for _ in range(2):  # once more removes what rounding left
            for direction in basis:
                rest = rest - (rest @ direction) * direction
        left = float(np.linalg.norm(rest))
        if left > _COLLINEAR:
            basis.append(rest / left)
            found.add(j)
    return found
