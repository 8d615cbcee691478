"""Several jobs on one fabric: what neighbours cost, by layout.

A job on a tenth of the endpoints, one rank after the other or anywhere. Beside nine others, the
outermost tier tapered o:1, every domain's uplinks carry what all its ranks send: share x o of their
rate, where share is the model's. Alone, a scattered job has a tenth of every domain, so that its
share is a tenth of that; a job that lies together has its domains for itself either way. Both are
priced by the fastest of NCCL's algorithms.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..conditional import Conditional
from ..fabrics import Fabric, draw_costs
from ..models import time_s
from .collective import LIBRARY

if TYPE_CHECKING:
    from ..models import Costs, Model

__all__ = ["JOBS", "TAPER", "slow_down"]

JOBS = 10
TAPER = 7.0  # of the Llama 3 cluster between pods, the worst published for one training network
_BYTES = float(1 << 30)


def slow_down(fabric: Fabric, layout: str, jobs: int = JOBS, taper: float = TAPER) -> float:
    """Return time of a 1 GiB all-reduce among other jobs, over that of the same job alone."""
    ranks = max(2, round(fabric.endpoints.value) // jobs)
    one = Conditional(collective="all_reduce", fabric=fabric, draws=1, transport=LIBRARY)
    costs = draw_costs(fabric, "exchange", 0)
    tapers = costs.taper.copy()
    tapers[:, -1] = np.maximum(tapers[:, -1], taper)
    costs = replace(costs, taper=tapers)
    part = jobs if layout == "random" else 1

    def fastest(loaded: bool) -> float:
        return min(
            _time_s(model, ranks, fabric, layout, costs, 1 if loaded else part)
            for model in one.models_at(ranks)
        )

    return fastest(loaded=True) / fastest(loaded=False)


def _time_s(
    model: Model, ranks: int, fabric: Fabric, layout: str, costs: Costs, part: int
) -> float:
    demand = model.demand(ranks, fabric.sizes, layout)
    demand = replace(demand, share=demand.share / part)
    return float(time_s(demand, np.array([_BYTES]), costs)[0, 0])
