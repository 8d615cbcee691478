"""Presets: models and how they are spread over endpoints, every figure with its source."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ...bench.errors import FabricError
from ..fabrics.check import check_facts
from ..fabrics.fabric import Figure

__all__ = ["Workload", "load_workload", "workloads"]

_FOLDER = Path(__file__).parent


class Workload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model and its parallelism; all fields are figures but the first two."""

    name: str
    title: str
    dense_parameters: Figure
    """Parameters outside of experts."""

    expert_parameters: Figure
    flops_per_token: Figure
    """Of the forward and the backward pass, as the published MFU counts them."""

    layers: Figure
    moe_layers: Figure
    hidden: Figure
    micro_tokens: Figure
    """Tokens of one micro-batch of one replica."""

    micro_batches: Figure
    """Per replica and step; kept as the job grows, so that the global batch grows with it."""

    tensor: Figure
    """Ranks of a tensor-parallel group; so the next two."""

    pipeline: Figure
    expert: Figure
    interleave: Figure
    """Virtual stages per pipeline rank."""

    destinations: Figure
    """Copies of a token sent to other nodes, at most."""

    chosen: Figure
    """Experts per token."""

    dispatch_bytes: Figure
    """Per element; so the next three."""

    combine_bytes: Figure
    gradient_bytes: Figure
    parameter_bytes: Figure
    tensor_overlap: Figure
    """Share of the time hidden behind compute; so the next three."""

    expert_overlap: Figure
    pipeline_overlap: Figure
    data_overlap: Figure
    efficiency: Figure
    """Share of peak while computing: the one fitted number."""

    def figures(self) -> dict[str, Figure]:
        """Return every figure by its name."""
        return {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if isinstance(value, Figure)
        }


def workloads() -> tuple[str, ...]:
    """Return the names of the presets."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_workload(name: str) -> Workload:
    """Return a checked preset.

    Raises
    ------
    FabricError
        If there is none of this name, or a figure breaks a rule.
    """
    if name not in workloads():
        raise FabricError(f"workload: found {name!r}, expected one of {', '.join(workloads())}")
    found = msgspec.toml.decode((_FOLDER / f"{name}.toml").read_bytes(), type=Workload)
    check_facts(found.figures())
    return found
