"""Experiment: which algorithms, sizes and numbers of ranks tell a model's parameters apart.

    scales     1, 2, 3, 4, 6, 8, 12 ... on a node (from 2), then as many nodes, whole ones
    sizes      8 B to the largest, factors of 8: latency, bandwidth and what lies between

A parameter is identified where its column of the design matrix, each cell weighted by its time, is
no combination of earlier ones (`design.identify`); the condition number of the weighted columns of
unit length says how safely. Ranks between the powers of two matter: on powers alone, the bytes
that recursive doubling sends and those that it reduces are the same multiple of n.

Source: Lastovetsky and Rychkov, "Accurate and efficient estimation of parameters of heterogeneous
communication performance models", IJHPCA 23 (2009), for why one operation alone leaves parameters
unknown; the choice of cells is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..bench.errors import CaseError
from ..bench.units import format_bytes, parse_sizes
from .design import ONE_TIER, design_of, identify, parameter_names
from .named import NAMED, models_named

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = ["Experiment", "Identified", "plan_experiment"]

_OVERHEAD_S, _GAMMA_S_PER_BYTE = 0.3e-6, 5e-11
_ALPHA_S, _BETA_S_PER_BYTE = (1e-6, 4e-6), (2e-11, 8e-11)
"""Assumed, in s and s/byte: 50 GB/s and 1 us on a host, 12.5 GB/s and 4 us between hosts, 20 GB/s
reduced. Used only to weigh cells: they decide which are bound by latency and which by bandwidth."""

_STEP = 8  # between sizes; 8 B to 16 MiB in 8 of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What the cells tell of one model, or of all together."""

    name: str
    identified: tuple[str, ...]
    """Names of parameters."""

    unidentified: tuple[str, ...]
    """Parameters whose share goes to earlier ones."""

    condition: float
    """Condition number of the weighted columns of those identified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A set of cells: every algorithm at every size on every number of ranks."""

    collective: str
    algorithms: tuple[str, ...]
    """`native` first."""

    ranks: tuple[int, ...]
    sizes: str
    """As ``collcast run --sizes`` takes them."""

    ranks_per_node: int
    models: tuple[Identified, ...]
    """One per algorithm by name."""

    together: Identified
    """All algorithms by name, with the same parameters."""


def plan_experiment(
    collective: str, nodes: int, ranks_per_node: int, largest_bytes: int = 1 << 24
) -> Experiment:
    """Return the cells that identify the models of a collective on so many nodes.

    Raises
    ------
    CaseError
        If the collective has no algorithm by name, or one rank is all there is.
    """
    models = models_named(collective)
    if not models:
        raise CaseError(f"design: found {collective}, expected one of {', '.join(NAMED)}")
    if nodes * ranks_per_node < 2:
        raise CaseError("design: found 1 rank in all, expected at least 2")
    ranks = _scales(nodes, ranks_per_node)
    sizes = f"8:{format_bytes(largest_bytes)}:x{_STEP}"
    counts, n = (
        column.reshape(-1) for column in np.meshgrid(ranks, parse_sizes(sizes), indexing="ij")
    )
    tiers = ONE_TIER if min(nodes, ranks_per_node) == 1 else (ranks_per_node, *ONE_TIER)
    known = list(models.values())
    matrix = design_of(known, counts, n.astype(float), tiers)
    nominal = _nominal(len(tiers))
    return Experiment(
        collective=collective,
        algorithms=("native", *models),
        ranks=tuple(ranks),
        sizes=sizes,
        ranks_per_node=ranks_per_node,
        models=tuple(
            _identified(name, columns, nominal)
            for name, columns in zip(models, matrix, strict=True)
        ),
        together=_identified("together", np.concatenate(matrix), nominal),
    )


def _scales(nodes: int, ranks_per_node: int) -> list[int]:
    inside = [count for count in _steps(ranks_per_node) if count > 1]
    return inside + [ranks_per_node * count for count in _steps(nodes) if count > 1]


def _steps(largest: int) -> list[int]:
    """Powers of two, and what lies between two of them, up to a number that is always there."""
    powers = [1 << k for k in range(largest.bit_length())]
    found = {count for power in powers for count in (power, 3 * power) if count <= largest}
    return sorted({*found, largest})


def _nominal(tiers: int) -> NDArray[np.float64]:
    parameters = (_OVERHEAD_S, *_ALPHA_S[:tiers], *_BETA_S_PER_BYTE[:tiers], _GAMMA_S_PER_BYTE)
    return np.array(parameters)


def _identified(
    name: str, columns: NDArray[np.float64], nominal: NDArray[np.float64]
) -> Identified:
    tiers = len(nominal) // 2 - 1
    time_s = columns @ nominal
    design = identify(columns[None], time_s, tiers)
    weighted = (columns / time_s[:, None])[:, design.kept]
    singular = np.linalg.svd(weighted / np.linalg.norm(weighted, axis=0), compute_uv=False)
    return Identified(
        name=name,
        identified=tuple(parameter_names(tiers)[j] for j in design.kept),
        unidentified=design.unidentified,
        condition=float(singular[0] / singular[-1]),
    )
