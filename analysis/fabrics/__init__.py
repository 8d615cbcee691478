"""Fabrics: networks described by figures with sources, one TOML file each."""

from __future__ import annotations

from .draw import draw_costs
from .fabric import Fabric, Figure, Tier
from .load import built_in_fabrics, load_fabric, load_facts

__all__ = [
    "Fabric",
    "Figure",
    "Tier",
    "built_in_fabrics",
    "draw_costs",
    "load_fabric",
    "load_facts",
]
