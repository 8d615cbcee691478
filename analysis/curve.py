"""Curve: the cost model of a series, its parameters fitted jointly over sizes and scales.

Candidates are every model of the collective, and the fastest per cell of two or of all of them,
which is what a library that chooses by size does; the one with the least mean |log error| is kept.
The interval comes from a bootstrap over cells in which that choice is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from .design import design_of, identify, measured_tiers, parameter_names, parameter_unit
from .named import models_for
from .solve import Solution, solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .cells import Cells
    from .dataset import Dataset
    from .design import Design
    from .models import Model
    from .prior import Prior

__all__ = ["BOOTSTRAPS", "Curve", "Parameter", "fit_curve"]

BOOTSTRAPS = 200  # enough for 5 % and 95 % quantiles: 10 draws beyond each
_NEGLIGIBLE = 1e-3  # share of the time of every cell below which a parameter counts as at its bound
_MOST_PLAUSIBLE = 3  # candidates that a resampling chooses from; more change nothing but the time
_HOPELESS = 1.5  # times the best candidate's error: what is worse wins no resampling
_TINY_S = 1e-12  # no collective takes less; keeps logarithms finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One fitted parameter with its 90 % bootstrap interval, in its unit."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    at_bound: bool
    """Whether it came out as nothing: at 0, or too small to matter in any cell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A fitted model, able to give times."""

    model: str
    """Name of the model chosen, or ``fastest of ...``."""

    formula: str
    sizes: tuple[int, ...]
    """Sizes of the tiers that the fit told apart."""

    candidates: tuple[tuple[Model, ...], ...]
    choice: int
    """Which candidate was chosen."""

    values: NDArray[np.float64]
    """Parameters, shape (parameter,)."""

    drawn_choice: NDArray[np.intp]
    """Candidate of each bootstrap, shape (draw,)."""

    drawn_values: NDArray[np.float64]
    """Parameters of each bootstrap, shape (draw, parameter)."""

    parameters: tuple[Parameter, ...]
    unidentified: tuple[str, ...]
    """Parameters that these cells cannot tell from others; their share is in those."""

    residual_sd: float
    """Robust standard deviation of log(model / measured)."""

    prior: Prior | None = None
    """What was believed besides the cells."""

    def time_s(self, ranks: int, message_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return fitted times in seconds, shape (size,)."""
        return self._times(ranks, message_bytes)[self.choice] @ self.values

    def log_s(self, cells: Cells) -> NDArray[np.float64]:
        """Return the logarithm of fitted times in seconds, shape (cell,)."""
        ranks = cells.ranks.astype(np.int64)
        models = self.candidates[self.choice]
        times = design_of(models, ranks, cells.message_bytes, self.sizes) @ self.values
        return np.asarray(np.log(np.maximum(times.min(axis=0), _TINY_S)))

    def draws_s(self, ranks: int, message_bytes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the bootstraps' times in seconds, shape (draw, size)."""
        designs = self._times(ranks, message_bytes)
        found = np.empty((len(self.drawn_choice), len(message_bytes)))
        for draw, (choice, values) in enumerate(
            zip(self.drawn_choice, self.drawn_values, strict=True)
        ):
            found[draw] = designs[choice] @ values
        return found

    def fastest(self, ranks: int, message_bytes: NDArray[np.float64]) -> NDArray[np.str_]:
        """Return the name of the bootstraps' fastest model, shape (draw, size)."""
        designs = self._times(ranks, message_bytes)
        names = [np.array([model.name for model in models]) for models in self.candidates]
        found = [
            names[choice][(designs[choice].columns @ values).argmin(axis=0)]
            for choice, values in zip(self.drawn_choice, self.drawn_values, strict=True)
        ]
        return np.array(found, dtype=np.str_).reshape(-1, len(message_bytes))

    def _times(self, ranks: int, message_bytes: NDArray[np.float64]) -> tuple[_Fastest, ...]:
        counts = np.full(len(message_bytes), ranks)
        return tuple(
            _Fastest(design_of(models, counts, message_bytes, self.sizes))
            for models in self.candidates
        )


class _Fastest:
    """Columns of side-by-side models; times a parameter vector, the least time per cell."""

    __slots__ = ("columns",)

    def __init__(self, columns: NDArray[np.float64]) -> None:
        self.columns = columns

    def __matmul__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        least: NDArray[np.float64] = (self.columns @ values).min(axis=0)
        return least


def fit_curve(
    used: Dataset, bootstraps: int = BOOTSTRAPS, seed: int = 0, prior: Prior | None = None
) -> Curve:
    """Fit the models of a series to rows that may be fitted; no bootstrap leaves no draws."""
    sizes = measured_tiers(used)
    models = models_for(used.rows[0].key, len(sizes))
    time_s = used.column("median_s")
    columns = design_of(models, used.column("ranks"), used.column("message_bytes"), sizes)
    candidates = _candidates(models)
    ranks = used.column("ranks")
    design = identify(columns, time_s, len(sizes))
    unidentified = design.unidentified
    if prior is not None:
        columns, time_s, ranks = prior.beside(columns, time_s, ranks)
        design = identify(columns, time_s, len(sizes))
    generator = np.random.default_rng(seed)
    everything = np.arange(len(time_s))
    members = [tuple(map(models.index, candidate)) for candidate in candidates]
    solutions = _solve(design, time_s, everything, dict(enumerate(members)))
    choice, solution = _best(solutions)
    ranking = sorted(solutions, key=lambda i: solutions[i].error)[:_MOST_PLAUSIBLE]
    limit = _HOPELESS * solution.error
    plausible = {i: members[i] for i in ranking if solutions[i].error <= limit}
    drawn = [
        _best(
            _solve(
                design,
                time_s if prior is None else prior.draw(time_s, number),
                _resample(ranks, generator),
                plausible,
                solutions,
            )
        )
        for number in range(bootstraps)
    ]
    drawn_values = np.array([found.values for _, found in drawn]).reshape(-1, columns.shape[2])
    cells = len(used)
    seen = replace(design, matrix=design.matrix[:, :cells])
    parameters = _parameters(
        seen, time_s[:cells], len(sizes), (members[choice], solution), drawn_values
    )
    return Curve(
        model=_name(candidates[choice]),
        formula="; ".join(model.formula for model in candidates[choice]),
        sizes=sizes,
        candidates=candidates,
        choice=choice,
        values=solution.values,
        drawn_choice=np.array([found for found, _ in drawn], dtype=np.intp),
        drawn_values=drawn_values,
        parameters=parameters,
        unidentified=unidentified,
        residual_sd=1.4826 * float(np.median(np.abs(solution.residuals[:cells]))),
        prior=prior,
    )


def _candidates(models: tuple[Model, ...]) -> tuple[tuple[Model, ...], ...]:
    """Return single models, pairs, and all of them; a library chooses among few."""
    pairs = tuple(combinations(models, 2))
    return (*((model,) for model in models), *pairs, *([models] if len(models) > 2 else []))


def _name(models: tuple[Model, ...]) -> str:
    names = ", ".join(model.name for model in models)
    return names if len(models) == 1 else f"fastest of {names}"


def _resample(ranks: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.intp]:
    """Draw as many cells of every scale as it has: a scale must not vanish where there are few."""
    return np.concatenate(
        [
            generator.choice(np.flatnonzero(ranks == count), np.sum(ranks == count))
            for count in np.unique(ranks)
        ]
    )


def _solve(
    design: Design,
    time_s: NDArray[np.float64],
    cells: NDArray[np.intp],
    wanted: Mapping[int, tuple[int, ...]],
    near: Mapping[int, Solution] | None = None,
) -> dict[int, Solution]:
    """Solve candidates, each given by the indices of its models, on these cells.

    `near` holds what was found on much the same cells.
    """
    matrix = design.matrix[:, cells][:, :, design.kept]
    found = {}
    for index, models in wanted.items():
        start = near[index].values[list(design.kept)] if near else None
        solution = solve(matrix[list(models)], time_s[cells], start)
        values = np.zeros(design.matrix.shape[2])
        values[list(design.kept)] = solution.values
        found[index] = Solution(values=values, residuals=solution.residuals)
    return found


def _best(solutions: dict[int, Solution]) -> tuple[int, Solution]:
    return min(solutions.items(), key=lambda item: item[1].error)


def _parameters(
    design: Design,
    time_s: NDArray[np.float64],
    tiers: int,
    chosen: tuple[tuple[int, ...], Solution],
    drawn: NDArray[np.float64],
) -> tuple[Parameter, ...]:
    models, solution = chosen
    columns = design.matrix[list(models)]
    found = []
    for j in design.kept:
        name = parameter_names(tiers)[j]
        largest_share = (columns[:, :, j] * solution.values[j] / time_s).max()
        low, high = np.quantile(drawn[:, j], [0.05, 0.95]) if len(drawn) else (np.nan, np.nan)
        found.append(
            Parameter(
                name=name,
                unit=parameter_unit(name),
                value=float(solution.values[j]),
                low=float(low),
                high=float(high),
                at_bound=bool(largest_share < _NEGLIGIBLE),
            )
        )
    return tuple(found)
