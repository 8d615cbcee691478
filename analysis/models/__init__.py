"""Cost models, one file per algorithm family, and which collective each belongs to.

A model counts latency steps and bytes per tier (`Demand`); what a step or a byte costs is not its
business. So the same model is fitted to one measured tier and evaluated on a fabric of several.
"""

from __future__ import annotations

from ...bench.errors import CaseError
from . import (
    aggregated,
    broadcast,
    bruck,
    direct,
    gather,
    in_network,
    pairwise,
    pat,
    rabenseifner,
    recursive_doubling,
    ring,
    tree,
    two_level,
)
from .cost import Costs, time_s
from .model import LAYOUTS, Chunks, Demand, Model

__all__ = [
    "LAYOUTS",
    "MODELS",
    "Chunks",
    "Costs",
    "Demand",
    "Model",
    "model_named",
    "models_of",
    "time_s",
]

MODELS: tuple[Model, ...] = (
    recursive_doubling.MODEL,
    rabenseifner.MODEL,
    ring.MODEL,
    two_level.MODEL,
    ring.RAILED,
    bruck.MODEL,
    pairwise.MODEL,
    direct.MODEL,
    *aggregated.MODELS,
    *gather.MODELS,
    *pat.MODELS,
    *broadcast.MODELS,
    *tree.MODELS,
    *in_network.MODELS,
)
"""Every model."""


def models_of(collective: str, tiers: int = 1, *, known: bool = False) -> tuple[Model, ...]:
    """Return the default models of a collective that mean something on so many tiers; maybe none.

    Default models are those that a library may be thought to use when nothing is said. Those that
    no fit may try are among them only where the tiers' costs are `known`.
    """
    return tuple(
        model
        for model in MODELS
        if model.default
        and model.collective == collective
        and model.least_tiers <= tiers
        and (model.fitted or known)
    )


def model_named(collective: str, name: str) -> Model:
    """Return one model of a collective, default or not.

    Raises
    ------
    CaseError
        If there is none of this name.
    """
    known = {model.name: model for model in MODELS if model.collective == collective}
    if name not in known:
        raise CaseError(
            f"algorithm of {collective}: found {name!r}, expected one of "
            f"{', '.join(known) or 'none: no model'}"
        )
    return known[name]
