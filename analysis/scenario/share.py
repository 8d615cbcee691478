"""Several jobs on one fabric: what neighbours cost, by layout.

A job on a tenth of the endpoints, one rank after the other or anywhere. Alone it has all uplinks;
beside nine others, the outermost tier tapered o:1, every domain's uplinks carry what all its ranks
send: share x o of their rate, where share is the model's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..fabrics import Fabric, draw_costs
from ..models import MODELS, time_s

__all__ = ["JOBS", "TAPER", "slow_down"]

JOBS = 10
TAPER = 7.0  # of the Llama 3 cluster between pods, the worst published for one training network
_BYTES = float(1 << 30)


def slow_down(fabric: Fabric, layout: str, jobs: int = JOBS, taper: float = TAPER) -> float:
    """Return time of a 1 GiB ring all-reduce among other jobs, over that of a contiguous job alone.

    A lone scattered job shares each uplink with nobody: its share is divided by the jobs.
    """
    ring = next(model for model in MODELS if model.name == "ring")
    ranks = max(2, round(fabric.endpoints.value) // jobs)
    costs = draw_costs(fabric, "exchange", 0)
    tapers = costs.taper.copy()
    tapers[:, -1] = np.maximum(tapers[:, -1], taper)
    costs = replace(costs, taper=tapers)
    alone = ring.demand(ranks, fabric.sizes, "contiguous")
    among = ring.demand(ranks, fabric.sizes, layout)
    reference = time_s(alone, np.array([_BYTES]), costs)[0, 0]
    return float(time_s(among, np.array([_BYTES]), costs)[0, 0] / reference)
