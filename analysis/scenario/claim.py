"""Claims of the seed, each against what follows from figures with sources.

A claim on power is inconsistent where supply / GPUs lies below the least all-in power per GPU; one
on cost where USD / GPU lies outside the sourced range. What no figure speaks to is not decidable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...bench.errors import FabricError
from ..fabrics import Figure, load_fabric, load_facts
from ..fabrics.clos import limits
from ..goodput import goodput
from ..power import power_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..fabrics import Fabric

__all__ = ["VERDICTS", "Claim", "check_claims", "check_supplies"]

VERDICTS = ("consistent", "inconsistent", "not decidable")
"""What can be said of a claim."""

_BORNE = 1.1
"""Slowdown by neighbours, at the better layout, below which letting costs a job next to nothing."""

_TREES = ("colossus-2-four-tier", "colossus-2", "colossus-2-two-tier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim and what becomes of it."""

    claim: str
    verdict: str
    follows: str
    """What follows from the figures, in a sentence."""

    arithmetic: str
    sources: str


def check_claims(fabric: Fabric) -> tuple[Claim, ...]:
    """Return the claims of the seed, checked with a fabric's all-in powers, cost and failures.

    Raises
    ------
    FabricError
        If the fabric says nothing of power, cost or failures.
    """
    seed = load_facts("seed")
    return (
        *_power_claims(fabric, seed),
        *_cost_claims(fabric, seed),
        _own_power(),
        _one_network(),
        _one_job(fabric),
        _renting(fabric),
    )


def check_supplies(
    fabric: Fabric, gpus: Sequence[int], supplies_w: Mapping[str, float]
) -> tuple[Claim, ...]:
    """Return whether each supply runs each number of GPUs at the fabric's all-in powers."""

    def asked(value: float, unit: str) -> Figure:
        return Figure(value=value, unit=unit, source="asked", status="assumed", date="2026")

    return tuple(
        _powered(
            f"{count:,} GPUs of {fabric.name} on {name}",
            asked(watts, "W"),
            asked(count, "ranks"),
            power_of(fabric).all_in,
            f"{fabric.name} takes {count * _least_w(fabric) / 1e6:,.0f} MW or more for so many",
        )
        for count in gpus
        for name, watts in supplies_w.items()
    )


def _least_w(fabric: Fabric) -> float:
    return min(figure.value for figure in power_of(fabric).all_in.values())


def _powered(
    claim: str, supply: Figure, gpus: Figure, per_gpu_w: Mapping[str, Figure], note: str
) -> Claim:
    """Compare supply / GPUs with all-in powers."""
    each = supply.value / gpus.value / 1e3
    cases = sorted(figure.value / 1e3 for figure in per_gpu_w.values())
    least, most = cases[0], cases[-1]
    short = each < 0.97 * least  # all-in powers are known to a few per cent at best
    fed = sorted(int(supply.value / figure.value) for figure in per_gpu_w.values())
    factor = f"short by a factor of {least / each:.1f} to {most / each:.1f}"
    return Claim(
        claim=claim,
        verdict="inconsistent" if short else "consistent",
        follows=f"{note}; the supply runs {fed[0]:,} to {fed[-1]:,} GPUs"
        + (f", {factor}" if short else ""),
        arithmetic=f"{supply.value / 1e6:,.0f} MW / {gpus.value:,.0f} = {each:.2f} kW per GPU, "
        f"against {least:.2f} to {most:.2f} kW all-in",
        sources="; ".join(
            [supply.source, gpus.source, *(f"{n}: {f.source}" for n, f in per_gpu_w.items())]
        ),
    )


def _power_claims(fabric: Fabric, seed: Mapping[str, Figure]) -> tuple[Claim, ...]:
    first = dict(power_of(load_fabric("colossus-1")).all_in)
    later = dict(power_of(fabric).all_in)
    # A million may be of either class: the leanest published case is the kindest to the claim.
    any_class = {"h100_class": first["h100_class"]} | later
    facts = load_facts("power")
    return (
        _powered(
            "1,000,000 GPUs on 300 MW",
            seed["seed_power"],
            seed["seed_gpus"],
            any_class,
            "300 MW was requested for the site of 200,000",
        ),
        _powered(
            "200,000 GPUs on 300 MW",
            seed["seed_power"],
            seed["seed_gpus_now"],
            first,
            "the request fits the site that it was made for",
        ),
        _powered(
            "200,000 GPUs on the 150 MW available, without turbines",
            seed["seed_power_now"],
            seed["seed_gpus_now"],
            first,
            "hence a stopgap is needed, and 250 MW of turbines more than close the gap",
        ),
        _powered(
            "first 550,000 GPUs on 1 GW",
            facts["claimed_gigawatt"],
            facts["first_batch"],
            {"gb200_low": later["gb200_low"], "gb300_facility": later["gb300_facility"]},
            "as the cooling of its first hall; but cooling for 350 MW was seen when 1 GW was "
            "claimed",
        )
        if "gb200_low" in later
        else _powered("first 550,000 GPUs on 1 GW", facts["claimed_gigawatt"],
                      facts["first_batch"], later, ""),
    )  # fmt: skip


def _costed(
    claim: str, amount: Figure, gpus: Figure, range_usd: Figure, note: str, undecided: str = ""
) -> Claim:
    each = amount.value / gpus.value
    low, high = range_usd.low or range_usd.value, range_usd.high or range_usd.value
    inside = low <= each <= high
    verdict = "not decidable" if undecided else "consistent" if inside else "inconsistent"
    return Claim(
        claim=claim,
        verdict=verdict,
        follows=undecided or note,
        arithmetic=f"{amount.value / 1e9:g} bn USD / {gpus.value:,.0f} = {each / 1e3:.1f} k USD "
        f"per GPU, against {low / 1e3:.0f} to {high / 1e3:.0f} k USD",
        sources=f"{amount.source}; {range_usd.source}",
    )


def _cost_claims(fabric: Fabric, seed: Mapping[str, Figure]) -> tuple[Claim, ...]:
    if fabric.cost is None:
        raise FabricError(f"{fabric.name}.cost: found none, expected the cost of hardware")
    built = load_facts("power")["blackwell_with_building"]
    hardware = fabric.cost.hardware
    low, high = hardware.low or hardware.value, hardware.high or hardware.value
    raised, million = seed["seed_raised"], seed["seed_gpus"]
    return (
        _costed("62.5 bn USD of hardware for 1,000,000 GPUs", seed["seed_hardware"], million,
                hardware, "inside the range of published purchases"),
        _costed("125 bn USD with infrastructure, energy and operation", seed["seed_total"],
                million, built, "", "above hardware with building; the rest would be energy and "
                "operation over a time that nobody states"),
        Claim(
            claim="25 bn USD being raised, as payment for 1,000,000 GPUs",
            verdict="inconsistent",
            follows=f"it buys {raised.value / high:,.0f} to {raised.value / low:,.0f} GPUs, or "
            f"{raised.value / seed['seed_hardware'].value:.0%} of the stated hardware",
            arithmetic=f"25 bn USD / ({low / 1e3:.0f} to {high / 1e3:.0f} k USD per GPU)",
            sources=f"{raised.source}; {hardware.source}",
        ),
    )  # fmt: skip


def _own_power() -> Claim:
    return Claim(
        claim="own power and own architecture instead of partners",
        verdict="not decidable",
        follows="turbines are contracted from a supplier and the network of Colossus 2 is not "
        "published; no figure speaks to who designed it",
        arithmetic="none",
        sources="the-decoder.com (turbines of 1,140 MW contracted); no text on the fabric",
    )


def _one_network() -> Claim:
    """Say which trees hold a million endpoints."""
    held = {name: max(limits(load_fabric(name)).values()) for name in _TREES}
    three = max(limits(load_fabric("colossus-1")).values())
    return Claim(
        claim="1,000,000 GPUs on one network",
        verdict="consistent",
        follows="as a matter of ports, not of anything measured: the three tiers of Colossus 1 end "
        f"at {three:,}, three other trees hold a million",
        arithmetic="; ".join(f"{name}: at most {most:,}" for name, most in held.items())
        + "; 2 (k/2)^L endpoints",
        sources="formula: SemiAnalysis on co-packaged optics; switches: the fabric files",
    )


def _one_job(fabric: Fabric) -> Claim:
    gpus = round(fabric.endpoints.value)
    full, shrink = (goodput(fabric, gpus, policy) for policy in ("restart_optimised", "shrink"))
    minutes = [value / 60 for value in full.mtbf_s]
    low, high = shrink.share[2], shrink.most[0]
    return Claim(
        claim=f"one training job on all {gpus:,} GPUs",
        verdict="inconsistent" if full.most[0] < 0.5 and high < 0.5 else "not decidable",
        follows=f"with today's recovery, full restart leaves {full.share[1]:.1%} of the time, "
        f"going on without the failed replica {low:.0%} (stalls in a row, high rate) to {high:.0%} "
        "(joined, low rate), if a stall is no longer than at 100,000 GPUs; 80 % would need stalls "
        f"below {0.2 * shrink.mtbf_s[1]:.0f} to {0.25 * shrink.mtbf_s[1]:.0f} s per failure",
        arithmetic=f"failures {minutes[2]:.1f} to {minutes[0]:.1f} min apart; recovery "
        f"{full.stall_s / 60:.0f} min, stall {shrink.stall_s / 60:.0f} min",
        sources="rates: Llama 3 paper, arXiv:2410.21680, arXiv:2602.00277; start: arXiv:2510.20171",
    )


def _renting(fabric: Fabric) -> Claim:
    from .share import slow_down

    near, far = (slow_down(fabric, layout) for layout in ("contiguous", "random"))
    return Claim(
        claim="capacity rented out to others on the same network",
        verdict="consistent" if min(near, far) < _BORNE else "inconsistent",
        follows=f"jobs of a tenth each: all-reduce slowed {near:.2f}-fold if each lies together, "
        f"{far:.2f}-fold if they are scattered, against the same job alone",
        arithmetic="all-reduce of 1 GiB by the fastest of NCCL's algorithms, central figures, the "
        "outermost tier tapered 1:7",
        sources="formulas: the models on tiers; taper 1:7: Llama 3 paper, 3.3.1; letting reported "
        "by one weak source (mobiletechworld.com, 2026-05)",
    )
