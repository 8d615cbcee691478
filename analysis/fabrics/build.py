"""Build a fabric from radix, rates and size: a folded Clos with the fewest tiers that hold it.

    limit(L) = rail_planes (k/2)^(L-1) k     k = planes_per_nic port_rate ports / nic_rate

All that a plan does not say is assumed, or taken from the shared figures, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import msgspec

from ...bench.errors import FabricError
from .check import check_fabric
from .fabric import (
    SCHEMA,
    Cost,
    Fabric,
    Failure,
    Figure,
    Network,
    Power,
    Routing,
    Switch,
    Tier,
    Trait,
)
from .load import load_facts, with_facts

__all__ = ["LEVELS", "Plan", "build"]

_FACTS = ("network", "power", "failure")
LEVELS: dict[int, tuple[str, ...]] = {
    1: ("leaf",),
    2: ("leaf", "spine"),
    3: ("leaf", "pod", "core"),
    4: ("leaf", "pod", "block", "core"),
}
"""Names of the tiers made of switches, by their number."""

# Beyond the leaf: efficiency of exchanges and of all-to-all with 5 % and 95 % quantiles, judged;
# 0.95 is Spectrum-X's claim, 0.25 the loss that Alps shows from 256 to 2,048 GPUs, twice.
_BEYOND = (
    ((0.95, 0.60, 0.98), (0.70, 0.40, 0.95)),
    ((0.85, 0.50, 0.97), (0.60, 0.25, 0.90)),
    ((0.80, 0.45, 0.97), (0.55, 0.20, 0.90)),
)
_CABLES_M = (30.0, 200.0, 2000.0, 2000.0)  # row, building, campus


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a new fabric is asked to be."""

    name: str
    endpoints: int
    nic_bits_per_s: float
    ports: int
    port_bits_per_s: float
    domain: int = 72
    """Endpoints of the scale-up domain."""

    planes_per_nic: int = 1
    rail_planes: int = 1
    rails: int = 1
    tiers: int = 0
    """Of switches; 0 takes the fewest that hold the endpoints."""

    taper: float = 1.0
    """Oversubscription of the links into the outermost tier."""

    latency: str = "mrc"
    """Measured cluster whose latencies are used: ``mrc``, ``roce`` or ``ndr``."""

    nvlink: int = 5
    routing: str = "spray"
    date: str = "2026"


def build(plan: Plan, **replaced: Any) -> Fabric:
    """Return the checked fabric of a plan, with whole fields replaced where given.

    Raises
    ------
    FabricError
        If the switches cannot hold the endpoints, naming the limit and the rule.
    """
    sizes = _sizes(plan)
    names = LEVELS[len(sizes)]
    tiers = (_scale_up(plan), *(_tier(plan, i, names, sizes) for i in range(len(sizes))))
    older = plan.nvlink < 5
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "name": plan.name,
        "title": f"{plan.name}: {plan.endpoints:,} endpoints, {len(sizes)} tiers of switches",
        "description": "Built from radix, rates and size; what these do not say is assumed.",
        "endpoints": _assumed(plan.endpoints, "ranks", "asked for", plan.date),
        "overhead": _fact("overhead_ring", "ring"),
        "propagation": _fact("fibre", "cables"),
        "reduction_rate": _fact("hbm3_reduction" if older else "hbm_reduction", "memory"),
        "tiers": tiers,
        "network": _network(plan),
        "switches": {"switch": _switch(plan)},
        "power": _power(older=older),
        "cost": Cost(
            hardware=_fact("h100_hardware" if older else "blackwell_hardware", "this class of GPU"),
            network_share=_fact("network_share", "shares"),
        ),
        "failure": Failure(rate=_failure_rate(), node=_fact("node_gpus", "failure")),
        "facts": _FACTS,
    }
    fabric = with_facts(Fabric(**(fields | replaced)))
    check_fabric(fabric)
    return fabric


def _sizes(plan: Plan) -> list[int]:
    """Return the endpoints below one domain of every tier of switches."""
    radix = plan.planes_per_nic * plan.port_bits_per_s * plan.ports / plan.nic_bits_per_s
    if plan.ports < 2 or plan.ports % 2:
        raise FabricError(f"ports: found {plan.ports}, expected an even number >= 2")
    if plan.nic_bits_per_s <= 0 or radix < 2:
        raise FabricError(
            f"radix: found {radix:g} endpoints per switch, expected at least 2: ports x port rate "
            "x planes / NIC rate"
        )
    half, whole = int(radix / 2), int(radix)
    most = {levels: plan.rail_planes * half ** (levels - 1) * whole for levels in LEVELS}
    holding = [levels for levels, limit in most.items() if limit >= plan.endpoints]
    levels = plan.tiers or (holding[0] if holding else max(LEVELS))
    if levels not in most:
        raise FabricError(f"tiers: found {levels}, expected {min(LEVELS)} to {max(LEVELS)}")
    if plan.endpoints > most[levels]:
        raise FabricError(
            f"endpoints: found {plan.endpoints:,}, expected at most {most[levels]:,}, the end of "
            f"{levels} tiers of radix {whole} without oversubscription"
        )
    return _filled(plan, levels, half)


def _filled(plan: Plan, levels: int, half: int) -> list[int]:
    sizes = [plan.rail_planes * half**level for level in range(1, levels)]
    inner = sizes[-1] if sizes else plan.domain
    sizes.append(ceil(plan.endpoints / inner) * inner)
    if len(sizes) > 1:
        sizes[0] *= plan.rails
    if plan.domain >= sizes[0]:
        raise FabricError(
            f"domain: found {plan.domain}, expected less than the {sizes[0]} endpoints of a leaf; "
            "planes or rails make that larger"
        )
    return sizes


def _assumed(
    value: float,
    unit: str,
    source: str,
    date: str = "2026",
    *,
    low: float | None = None,
    high: float | None = None,
) -> Figure:
    return Figure(
        value=value, unit=unit, source=source, status="assumed", date=date, low=low, high=high
    )


def _fact(name: str, of: str, **ends: float) -> Figure:
    """Return the figure that equals a shared one, its range with it."""
    shared = next(load_facts(file)[name] for file in _FACTS if name in load_facts(file))
    ranged = {"low": shared.low, "high": shared.high} | ends
    return Figure(
        value=shared.value,
        unit=shared.unit,
        source=f"{of}: {shared.source}",
        status="derived",
        formula=name,
        date=shared.date,
        **ranged,
    )


def _derived(formula: str, unit: str, source: str, **ends: float) -> Figure:
    from .check import evaluate_formula

    shared = {key: figure for file in _FACTS for key, figure in load_facts(file).items()}
    value = evaluate_formula(formula, shared)
    return Figure(
        value=float(f"{value:.6g}"), unit=unit, source=source, status="derived", formula=formula,
        date="2026", **ends,
    )  # fmt: skip


def _none(status: str = "assumed") -> Trait:
    return Trait(value="none", source="no text says that its switches reduce", status=status,  # type: ignore[arg-type]
                 date="2026")  # fmt: skip


def _scale_up(plan: Plan) -> Tier:
    name = f"nvlink{plan.nvlink}"
    got = {"unit": "1", "source": "achieved over line rate", "low": 0.70, "high": 0.92}
    return Tier(
        name="nvlink",
        size=_assumed(plan.domain, "ranks", "endpoints per scale-up domain, asked for", plan.date),
        rate=_fact(f"{name}_rate", "the GPUs of this class"),
        latency=_fact("nvlink4_latency_seen", "seen end to end", low=0.72e-6, high=4.0e-6),
        cable=_assumed(0, "m", "inside the machine or rack: in the latency"),
        oversubscription=_assumed(1, "1", "every GPU reaches every switch at full rate"),
        efficiency={
            "exchange": _derived(f"{name}_got / {name}_rate", **got),  # type: ignore[arg-type]
            "all_to_all": _derived(f"{name}_got / {name}_rate", **got),  # type: ignore[arg-type]
        },
        routing=Routing(value="single", source="one level of switches", status="assumed",
                        date="2026"),
        in_network_reduction=Trait(
            value="nvls", source="NVLink SHARP of NVSwitch; the models do not use it",
            status="assumed", date="2026",
        ),
    )  # fmt: skip


def _tier(plan: Plan, level: int, names: tuple[str, ...], sizes: list[int]) -> Tier:
    last = level == len(names) - 1
    hops = f" + {2 * level} * {plan.latency}_hop" if level else ""
    latency = _derived(f"{plan.latency}_same_leaf{hops}", "s",
                       f"switches on the way: {2 * level + 1}; short cables included")  # fmt: skip
    ends = {"low": latency.value * 0.55, "high": latency.value * 2.2}
    taper = plan.taper if last and level else 1.0
    planes = plan.planes_per_nic
    return Tier(
        name=names[level],
        size=_assumed(sizes[level], "ranks", "half of a switch's ports go down, all on top"),
        rate=_assumed(plan.nic_bits_per_s / 8, "bytes/s", "all planes of one NIC, one direction"),
        latency=msgspec.structs.replace(latency, **ends),
        cable=_assumed(_CABLES_M[level], "m", "within a row, a building, a campus",
                       low=_CABLES_M[level] / 4, high=_CABLES_M[level] * 2),
        oversubscription=_assumed(taper, "1", "asked for" if taper > 1 else "as many up as down",
                                  low=1 if level else None,
            high=2 * taper if level else None),
        efficiency=_efficiency(level),
        routing=Routing(value=plan.routing, source="a choice", status="assumed", date="2026"),  # type: ignore[arg-type]
        in_network_reduction=_none(),
        switch="switch",
        link_rate=_assumed(plan.nic_bits_per_s / planes, "bit/s", "one plane's share of a NIC"),
        optical_ends=_assumed(2, "ends/link", "fibre with an optical end on both sides"),
    )  # fmt: skip


def _efficiency(level: int) -> dict[Any, Figure]:
    if level == 0:
        return {
            "exchange": _derived("mrc_got / mrc_line", "1", "MRC, messages of 32 KB",
                                 low=0.90, high=0.98),
            "all_to_all": _derived("dispatch_got / dispatch_rate", "1",
                                   "DeepSeek's dispatch; range judged", low=0.60, high=0.95),
        }  # fmt: skip
    names = ("exchange", "all_to_all")
    return {
        name: _assumed(value, "1", "below the tier inside it; range judged", low=low, high=high)
        for name, (value, low, high) in zip(names, _BEYOND[level - 1], strict=True)
    }


def _network(plan: Plan) -> Network:
    return Network(
        nic_rate=_assumed(plan.nic_bits_per_s, "bit/s", "asked for", plan.date),
        planes_per_nic=_assumed(plan.planes_per_nic, "1", "asked for", plan.date),
        rail_planes=_assumed(plan.rail_planes, "1", "asked for", plan.date),
        rails=_assumed(plan.rails, "1", "asked for", plan.date),
        optic_energy=_fact("optic_energy_dsp", "pluggable optics"),
        optic_price=_fact("optic_price_800g", "800G optics"),
    )


def _switch(plan: Plan) -> Switch:
    large = plan.ports * plan.port_bits_per_s > 60e12
    return Switch(
        ports=_assumed(plan.ports, "ports", "asked for", plan.date),
        port_rate=_assumed(plan.port_bits_per_s, "bit/s", "asked for", plan.date),
        power=_fact("tomahawk6_power" if large else "tomahawk5_power", "a switch of this class"),
        price=_derived("2 * switch_price_51t", "USD", "twice the 51.2T switch's; range judged",
                       low=200e3, high=600e3)
        if large
        else _fact("switch_price_51t", "a switch of 51.2 Tbit/s"),
    )  # fmt: skip


def _power(*, older: bool) -> Power:
    names = ("h100_class",) if older else ("gb200_low", "gb300_facility", "campus_rating")
    return Power(
        all_in={name: _fact(name, "the case of that name") for name in names},
        supply={},
        peak=_fact("h100_peak" if older else "gb200_peak", "this class of GPU"),
    )


def _failure_rate() -> Figure:
    """Return the published rates: the middle one, the others as its range."""
    low, high = (load_facts("failure")[name].value for name in ("rate_ft_hsdp", "rate_rsc1"))
    return _fact("rate_llama3", "Llama 3; low: 32k H100 of Meta, high: RSC-1", low=low, high=high)
