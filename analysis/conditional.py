"""Conditional: times on a fabric, with two intervals and the shares of what widens them.

    log T = log min_m T_m(figures) + s e_1 + l sqrt(lg P) e_2 + i e_3       e standard normal

The minimum is over the models of the collective, draw by draw; one draw of the fabric's figures is
shared by all models, sizes and numbers of ranks. The interval as declared has assumed figures at
their values, and those that a campaign gave drawn. s stands for what the models leave out, l for a
launch, i for the median over its iterations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..bench.errors import CaseError
from .bound import bound_of
from .fabrics.draw import FROM_DATA, draw_costs
from .fabrics.fabric import STATUSES
from .fabrics.routing import at_scale
from .layout import demand_at
from .models import model_named, time_s
from .models.in_network import lacking
from .models.model import tiers_used
from .named import kin, models_on
from .outcome import boil_down, shares_of, switching

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray

    from .fabrics import Fabric
    from .models import Costs, Model
    from .outcome import Outcome

__all__ = ["LAUNCH_SD", "MODEL_SD", "Conditional"]

MODEL_SD = 0.17
"""s, of log(time / model) far from data: the median error of physical models was 12 to 15 % at 8 to
32 times the fitted scale on Alps (median |e| is 0.67 sd: 0.2), launches included."""

LAUNCH_SD = 0.03
"""l, per square root of a doubling: on Alps the ratio of slowest to fastest of about five launches
was 1.15 at 128 ranks and 1.23 at 1,024 (the range of five normal values is 2.3 sd)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditional:
    """One collective on one fabric."""

    collective: str
    fabric: Fabric
    draws: int
    seed: int = 0
    algorithm: str = ""
    """A model by its name; "" takes the fastest of those that a library may use."""

    transport: str = ""
    """Of the series: a library has not every algorithm."""

    scatter: float = 0.0
    """Of the layout: 0 contiguous, 1 random."""

    iteration: float = 0.0
    """Variance of log time of a median over iterations."""

    measured: int = 0
    """Largest measured scale; 0 for none."""

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """What is compared; none where the collective has no model.

        Raises
        ------
        CaseError
            If there is no such algorithm, or the fabric has fewer tiers than it needs.
        """
        tiers = len(self.fabric.tiers)
        if not self.algorithm:
            return models_on(self.collective, tiers, self.transport)
        model = model_named(self.collective, self.algorithm)
        if model.least_tiers > tiers:
            raise CaseError(
                f"algorithm {model.name}: found {tiers} tier of {self.fabric.name}, expected "
                f"{model.least_tiers}"
            )
        return (model,)

    def at(
        self, ranks: int, sizes: Sequence[float], found: Sequence[str] | None = None
    ) -> list[Outcome]:
        """Return one outcome per size in bytes.

        `found` names the model that a fit found per size at the largest measured scale; without it
        the switch is held against what the fabric prefers there.
        """
        n = np.array(sizes, dtype=float)
        every, which = self._fastest(ranks, n, self._all)
        data = every if self._data is self._all else self._fastest(ranks, n, self._data)[0]
        e = np.random.default_rng((self.seed, ranks)).standard_normal((3, self.draws, 1))
        sd = (MODEL_SD, LAUNCH_SD * np.sqrt(np.log2(max(ranks, 2))), np.sqrt(self.iteration))
        noise = sum(width * part for width, part in zip(sd, e, strict=True))
        whole, known = every.var(axis=0), data.var(axis=0)
        shares = [
            shares_of(
                parameters=float(known[j]),
                fabric=float(whole[j] - known[j]),
                model=sd[0] ** 2,
                launch=sd[1] ** 2,
                iteration=self.iteration,
            )
            for j in range(len(n))
        ]
        names = self._names(ranks, which)
        before = self._before(n)
        if found is not None:
            before = np.broadcast_to(self._kin(np.array(found)), names.shape)
        chosen = [
            (
                switching(names[:, j], None)[0],
                switching(self._kin(names[:, j]), None if before is None else before[:, j])[1],
            )
            for j in range(len(n))
        ]
        bound = bound_of(self.collective, ranks, sizes, self.fabric)
        return boil_down(np.exp(every + noise), bound, shares, chosen, np.exp(data + noise))

    def _before(self, n: NDArray[np.float64]) -> NDArray[np.str_] | None:
        """Return the fastest model's name at the largest measured scale; None if there is none."""
        if not 1 < self.measured <= self.fabric.endpoints.value:
            return None
        which = self._fastest(self.measured, n, self._all)[1]
        return self._kin(self._names(self.measured, which))

    def _names(self, ranks: int, which: NDArray[np.intp]) -> NDArray[np.str_]:
        return np.array([model.name for model in self.models_at(ranks)])[which]

    def _kin(self, names: NDArray[np.str_]) -> NDArray[np.str_]:
        return np.array([kin(str(name), self.transport) for name in names.flat]).reshape(
            names.shape
        )

    def lacks(self, ranks: int) -> str:
        """Return what the asked algorithm needs of so many ranks' switches and does not find."""
        return self._lacking(self.models[0], ranks) if self.algorithm else ""

    def models_at(self, ranks: int) -> tuple[Model, ...]:
        """Return those of the models that the switches under so many ranks can do.

        Raises
        ------
        CaseError
            If they cannot do the one that was asked for.
        """
        if lacks := self.lacks(ranks):
            raise CaseError(
                f"algorithm {self.algorithm}: found none on {self.fabric.name} at {ranks:,} ranks, "
                f"expected {lacks}"
            )
        return tuple(model for model in self.models if not self._lacking(model, ranks))

    def _lacking(self, model: Model, ranks: int) -> str:
        used = self.fabric.tiers[: max(1, tiers_used(ranks, self.fabric.sizes))]
        return lacking(model.name, [tier.in_network_reduction.value for tier in used])

    def _fastest(
        self, ranks: int, n: NDArray[np.float64], costs: dict[str, Costs]
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Return log time of the fastest model and its index, shape (draw, size)."""
        found = np.stack([self._model_s(model, ranks, n, costs) for model in self.models_at(ranks)])
        return np.log(found.min(axis=0)), found.argmin(axis=0)

    def _model_s(
        self, model: Model, ranks: int, n: NDArray[np.float64], costs: dict[str, Costs]
    ) -> NDArray[np.float64]:
        demand = demand_at(model, ranks, self.fabric.sizes, self.scatter)
        met = at_scale(costs[model.pattern], self.fabric, model.pattern, demand.share, ranks)
        return np.broadcast_to(time_s(demand, n, met), (self.draws, len(n)))

    @cached_property
    def _all(self) -> dict[str, Costs]:
        return self._drawn(STATUSES)

    @cached_property
    def _data(self) -> dict[str, Costs]:
        """Only what a campaign gave is drawn."""
        return self._drawn(FROM_DATA)

    def _drawn(self, varying: Container[str]) -> dict[str, Costs]:
        return {
            model.pattern: draw_costs(self.fabric, model.pattern, self.draws, self.seed, varying)
            for model in self.models
        }
