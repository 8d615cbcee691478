"""Cost models, one file per algorithm family, and which collective each belongs to.

A model counts latency steps and bytes per tier (`Demand`); what a step or a byte costs is not its
business. So the same model is fitted to one measured tier and evaluated on a fabric of several.
"""

from __future__ import annotations

from . import bruck, pairwise, rabenseifner, recursive_doubling, ring, two_level
from .cost import Costs, time_s
from .model import LAYOUTS, Demand, Model

__all__ = ["LAYOUTS", "MODELS", "Costs", "Demand", "Model", "models_of", "time_s"]

MODELS: tuple[Model, ...] = (
    recursive_doubling.MODEL,
    rabenseifner.MODEL,
    ring.MODEL,
    two_level.MODEL,
    bruck.MODEL,
    pairwise.MODEL,
)
"""Every model."""


def models_of(collective: str, tiers: int = 1) -> tuple[Model, ...]:
    """Return the models of a collective that mean something on so many tiers; maybe none."""
    return tuple(
        model for model in MODELS if model.collective == collective and model.least_tiers <= tiers
    )
