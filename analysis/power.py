"""Power: what a supply can run, and what a step or a collective takes.

    GPUs = supply / all-in power per GPU
    E = t N p                       p all-in, or the network's share of it alone

All-in power per GPU is everything that a site draws, divided by its GPUs, from independent cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..bench.errors import FabricError, UnitError
from .size import measure_size

if TYPE_CHECKING:
    from .fabrics import Fabric
    from .fabrics.fabric import Power

__all__ = ["Supplied", "energy_j", "feed", "network_w_per_gpu", "parse_watts", "power_of"]

_WATTS = {"kW": 1e3, "MW": 1e6, "GW": 1e9}
_TEXT = re.compile(r"([0-9]+(?:\.[0-9]*)?)\s*(kW|MW|GW)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """How many GPUs a supply runs if each takes so much."""

    supply: str
    supply_w: float
    case: str
    per_gpu_w: float
    gpus: int
    needed_w: float
    """What all endpoints of the fabric would take."""


def parse_watts(text: str) -> float:
    """Return watts from ``150MW`` or ``1.4 GW``.

    Raises
    ------
    UnitError
        If the text is no power, its unit is missing, or it is none of a site.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"supply: found {text!r}, expected a number with kW, MW or GW, as 150MW")
    value = float(match[1]) * _WATTS[match[2]]
    if not 1e5 <= value <= 1e11:
        raise UnitError(f"supply: found {text!r}, expected 100kW to 100GW")
    return value


def power_of(fabric: Fabric) -> Power:
    """Return a fabric's section on power.

    Raises
    ------
    FabricError
        If it has none.
    """
    if fabric.power is None:
        raise FabricError(f"{fabric.name}.power: found none, expected all-in powers per endpoint")
    return fabric.power


def feed(fabric: Fabric, supplies_w: dict[str, float] | None = None) -> tuple[Supplied, ...]:
    """Return what the fabric's own supplies, or those given, run under every all-in power."""
    power = power_of(fabric)
    named = supplies_w or {name: figure.value for name, figure in power.supply.items()}
    return tuple(
        Supplied(
            supply=name,
            supply_w=value,
            case=case,
            per_gpu_w=figure.value,
            gpus=int(value / figure.value),
            needed_w=figure.value * fabric.endpoints.value,
        )
        for name, value in named.items()
        for case, figure in power.all_in.items()
    )


def network_w_per_gpu(fabric: Fabric, endpoints: int | None = None) -> float:
    """Return the power of switches and optics per endpoint, in watts."""
    size = measure_size(fabric, endpoints)
    return size.power_w.value / size.endpoints


def energy_j(time_s: float, gpus: int, per_gpu_w: float) -> float:
    """Return the energy of something that keeps all GPUs so long, in joules."""
    return time_s * gpus * per_gpu_w
