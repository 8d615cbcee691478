"""Formats of other tools: written from a fabric, read into figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..write import to_toml
from .astra_sim import to_astra_sim
from .infragraph import read_infragraph, to_infragraph
from .nccl_topology import read_nccl_topology

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..fabric import Fabric

__all__ = ["EXPORTERS", "read_infragraph", "read_nccl_topology"]

EXPORTERS: dict[str, Callable[[Fabric], str]] = {
    "astra-sim": to_astra_sim,
    "infragraph": to_infragraph,
    "toml": to_toml,
}
"""Format -> text of a fabric."""
