"""Step: time of a training step by dimension, and its share of communication not hidden.

    compute  = m t F / (tp pp) / (peak eff)             m micro-batches of t tokens, F flop each
    bubble   = compute (pp - 1) / (m v)                 v virtual stages per rank
    tensor   = (1 - o) 4 m layers/pp AR(tp, 2 t h)      all-reduce of activations in BF16
    expert   = (1 - o) 2 m moe/pp (A2A(t k h d) + A2A(t k h c))
    pipeline = (1 - o) 2 m v p2p(2 t h / tp)
    data     = (1 - o) T + max(0, o T - compute), T = AR(dp, (g + p)/2 parameters/rank)
    step     = sum of these;   exposed share = (tensor + expert + pipeline + data) / step

Reduce-scatter of g bytes and all-gather of p bytes per parameter are priced as one all-reduce
of their mean. Ranks are numbered tensor, expert, pipeline, data; groups of a kind act at once.
What the models leave out is a factor exp(0.2 z) per dimension, as in extrapolation.

Source of the bubble: Narayanan et al., SC21; of the dimensions' order: Llama 3 paper, 3.3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...bench.errors import CaseError
from ..conditional import MODEL_SD
from ..fabrics import draw_costs
from ..fabrics.draw import spread
from ..power import power_of
from .group import exchange_s, message_s, reduce_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..fabrics import Fabric, Figure
    from ..models import Costs
    from .preset import Workload

__all__ = ["DIMENSIONS", "Step", "price_step"]

DIMENSIONS = ("compute", "bubble", "tensor", "expert", "pipeline", "data")
"""What a step consists of; the last four are communication that is not hidden."""

_BF16_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step of one workload on so many endpoints, as draws."""

    workload: str
    fabric: str
    asked: int
    used: int
    """Endpoints in whole replicas, and whole expert groups, of the model."""

    tokens: float
    """Global batch: grows with the endpoints."""

    parts_s: dict[str, NDArray[np.float64]]
    """Dimension -> seconds, shape (draw,)."""

    flops: float
    """Of the whole step, all endpoints."""

    peak_flops: float

    @property
    def step_s(self) -> NDArray[np.float64]:
        """Time of the step, shape (draw,)."""
        total: NDArray[np.float64] = np.sum(list(self.parts_s.values()), axis=0)
        return total

    @property
    def exposed(self) -> NDArray[np.float64]:
        """Share of communication that is not hidden, shape (draw,)."""
        hidden: NDArray[np.float64] = np.sum([self.parts_s[d] for d in DIMENSIONS[2:]], axis=0)
        return hidden / self.step_s

    @property
    def mfu(self) -> NDArray[np.float64]:
        """Share of peak arithmetic, shape (draw,)."""
        return self.flops / (self.step_s * self.used * self.peak_flops)


def price_step(
    workload: Workload, fabric: Fabric, gpus: int, draws: int = 0, seed: int = 0
) -> Step:
    """Return a step in `draws` draws of the fabric's and the workload's figures; 0: central values.

    Raises
    ------
    CaseError
        If the endpoints do not hold one replica, or the fabric not so many.
    """
    w = {name: figure.value for name, figure in workload.figures().items()}
    unit = round(w["tensor"] * w["pipeline"] * w["expert"])
    most = fabric.endpoints.value
    if not unit <= gpus <= most:
        raise CaseError(f"gpus: found {gpus:,}, expected {unit:,} (one replica) to {most:,.0f}")
    used = gpus // unit * unit
    draw = _Draw(draws, seed)
    peak = power_of(fabric).peak.value
    flops = w["micro_batches"] * w["micro_tokens"] * w["flops_per_token"]
    replica = w["tensor"] * w["pipeline"]
    compute = flops / replica / (peak * draw.of(workload.efficiency))
    parts = {
        "compute": compute,
        "bubble": compute * (w["pipeline"] - 1) / (w["micro_batches"] * w["interleave"]),
        **_communication(workload, fabric, used, compute, draw),
    }
    replicas = used / replica
    return Step(
        workload=workload.name,
        fabric=fabric.name,
        asked=gpus,
        used=used,
        tokens=w["micro_batches"] * w["micro_tokens"] * replicas,
        parts_s=parts,
        flops=flops * replicas,
        peak_flops=peak,
    )


class _Draw:
    """Draws of figures, and of what the models leave out."""

    def __init__(self, draws: int, seed: int) -> None:
        self.draws, self.seed = draws, seed
        self._generator = np.random.default_rng((seed, 1))

    def _z(self) -> NDArray[np.float64]:
        return self._generator.standard_normal(self.draws) if self.draws else np.zeros(1)

    def of(self, figure: Figure) -> NDArray[np.float64]:
        return spread(figure, self._z())

    def exposed(self, overlap: Figure) -> NDArray[np.float64]:
        """Return what an overlap leaves, times the models' spread."""
        return (1 - np.minimum(self.of(overlap), 1.0)) * self.noise()

    def noise(self) -> NDArray[np.float64]:
        """Return factors for what the models leave out."""
        factors: NDArray[np.float64] = np.exp(MODEL_SD * self._z())
        return factors


def _communication(
    workload: Workload, fabric: Fabric, used: int, compute: NDArray[np.float64], draw: _Draw
) -> dict[str, NDArray[np.float64]]:
    w = {name: figure.value for name, figure in workload.figures().items()}
    one = draw_costs(fabric, "exchange", draw.draws, draw.seed)
    every = draw_costs(fabric, "all_to_all", draw.draws, draw.seed)
    tensor, expert, pipeline = (round(w[name]) for name in ("tensor", "expert", "pipeline"))
    tokens, hidden, batches = w["micro_tokens"], w["hidden"], w["micro_batches"]
    activation = tokens * hidden * _BF16_BYTES
    routed = tokens * w["chosen"] * hidden
    outside = min(1.0, w["destinations"] / w["chosen"]) if w["chosen"] else 1.0
    a2a = exchange_s(fabric, expert, tensor, routed * w["dispatch_bytes"], every, outside)
    a2a = a2a + exchange_s(fabric, expert, tensor, routed * w["combine_bytes"], every, outside)
    inner = reduce_s(fabric, tensor, 1, activation, one)
    forward = message_s(fabric, tensor * expert, activation / tensor, one)
    whole = _data_s(w, fabric, used, one)
    overlap = np.minimum(draw.of(workload.data_overlap), 1.0)
    noise = draw.noise()
    return {
        "tensor": 4 * batches * w["layers"] / pipeline * inner
        * draw.exposed(workload.tensor_overlap),
        "expert": 2 * batches * w["moe_layers"] / pipeline * a2a
        * draw.exposed(workload.expert_overlap),
        "pipeline": (2 * batches * w["interleave"] * (pipeline > 1)) * forward
        * draw.exposed(workload.pipeline_overlap),
        "data": noise * ((1 - overlap) * whole + np.maximum(0, overlap * whole - compute)),
    }  # fmt: skip


def _data_s(w: dict[str, float], fabric: Fabric, used: int, costs: Costs) -> NDArray[np.float64]:
    """Return reduce-scatter of gradients and all-gather of parameters, dense and experts."""
    replica = round(w["tensor"] * w["pipeline"])
    expert = round(w["expert"])
    per_parameter = (w["gradient_bytes"] + w["parameter_bytes"]) / 2
    dense = reduce_s(
        fabric, used // replica, replica, w["dense_parameters"] / replica * per_parameter, costs
    )
    experts = w["expert_parameters"] / (replica * expert) * per_parameter
    groups = used // (replica * expert)
    return dense + (reduce_s(fabric, groups, replica * expert, experts, costs) if experts else 0.0)
