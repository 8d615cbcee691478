"""The scenario's answer: statement, claims, supplies, size, failures, steps, what widens them.

The first paragraph says what kind of statement it is; measured, fitted and assumed stay apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...bench.errors import CaseError
from ..fabrics.check import rests_on_assumption
from ..goodput import POLICIES, Goodput, goodput
from ..power import Supplied, energy_j, feed, power_of
from ..prediction import LARGEST_PUBLISHED_RANKS
from ..size import Size, measure_size
from ..workload import DIMENSIONS, load_workload, price_step, workloads
from .claim import Claim, check_claims, check_supplies
from .collective import Priced, price_collectives
from .diagnostic import Diagnostic, diagnose
from .network import compare_cost
from .sensitivity import Effect, Sensitivity, rank_effects, widen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fabrics import Fabric
    from ..workload import Step

__all__ = ["DEFAULT_GPUS", "Scenario", "StepRow", "examine"]

DEFAULT_GPUS = (200_000, 550_000, 1_000_000)
"""As many as the site has now, the first batch of the next, its goal."""

DRAWS = 1000
STATED = "llama-3-405b"
"""The workload of the first paragraph: the one that was fitted."""

LLAMA_REPLICAS = 128
"""Data-parallel replicas on 16,384 GPUs (Llama 3 paper, Table 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step's median and 90 % interval, and its parts."""

    workload: str
    gpus: int
    used: int
    tokens: float
    step_s: tuple[float, float, float]
    """Median and ends of the 90 % interval; so the next three."""

    exposed: tuple[float, float, float]
    mfu: tuple[float, float, float]
    parts_s: dict[str, float]
    """Dimension -> median seconds."""

    restart_optimised_goodput: float
    """Share of time in which steps get anywhere, at the central rate of failures."""

    shrink_goodput: tuple[float, float]
    """Least, at the high rate with stalls in a row, and most, at the low rate with joined ones."""

    energy_j: float
    """Of one step at the middle all-in power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that the command prints."""

    fabric: str
    statement: str
    effects: tuple[Effect, ...]
    """What the range of each figure does to a step of `STATED`, largest first."""

    claims: tuple[Claim, ...]
    supplies: tuple[Supplied, ...]
    sizes: tuple[Size, ...]
    goodputs: tuple[Goodput, ...]
    steps: tuple[StepRow, ...]
    collectives: tuple[Priced, ...]
    network_cost: str
    """The network's cost by its parts against its published share."""

    widening: tuple[Sensitivity, ...]
    diagnostics: tuple[Diagnostic, ...]
    assumed: tuple[str, ...]
    """Figures that are assumed or rest on one that is."""

    figures: int


def examine(
    fabric: Fabric,
    gpus: Sequence[int] = (),
    supplies_w: dict[str, float] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Scenario:
    """Return the answer for a fabric.

    Raises
    ------
    CaseError, FabricError
        If the fabric does not hold so many GPUs, or lacks a section.
    """
    power_of(fabric)  # a fabric without power is no site
    most = round(fabric.endpoints.value)
    counts = tuple(gpus) or tuple(n for n in DEFAULT_GPUS if n <= most) or (most,)
    for count in counts:
        if not 1 <= count <= most:
            raise CaseError(f"--gpus: found {count:,}, expected 1 to {most:,} on {fabric.name}")
    figures = fabric.figures()
    steps = [
        price_step(load_workload(name), fabric, count, draws, seed)
        for name in workloads()
        for count in counts
    ]
    effects = rank_effects(load_workload(STATED), fabric, max(counts))
    return Scenario(
        fabric=fabric.name,
        statement=_statement(fabric, max(counts), effects),
        effects=effects,
        claims=(
            *(check_claims(fabric) if fabric.name.startswith("colossus-2") else ()),
            *check_supplies(fabric, counts, supplies_w or {}),
        ),
        supplies=feed(fabric, supplies_w),
        sizes=tuple(measure_size(fabric, count) for count in counts),
        goodputs=tuple(goodput(fabric, n, policy) for n in counts for policy in POLICIES),
        steps=tuple(_row(step, fabric) for step in steps),
        collectives=price_collectives(fabric, counts, draws, seed),
        network_cost=compare_cost(fabric, max(counts)),
        widening=widen(fabric, max(counts), draws, seed),
        diagnostics=diagnose(max(counts)),
        assumed=tuple(name for name in figures if rests_on_assumption(name, figures)),
        figures=len(figures),
    )


def _statement(fabric: Fabric, gpus: int, effects: Sequence[Effect]) -> str:
    shrink = goodput(fabric, gpus, "shrink")
    ranked = ", ".join(
        f"{effect.ratio - 1:.0%} ({effect.figure.replace('_', ' ')})" for effect in effects[:4]
    )
    figures = fabric.figures()
    assumed = sum(rests_on_assumption(name, figures) for name in figures)
    beyond = gpus / LARGEST_PUBLISHED_RANKS
    kind = (
        f"{gpus:,} GPUs are about {beyond:.0f} times beyond any published GPU measurement of "
        "collectives over sizes"
        if beyond > 1
        else f"{gpus:,} GPUs lie within what was published"
    )
    return (
        f"This is a conditional statement: if the network is as the fabric file {fabric.name} "
        f"says, then what follows holds. {kind}. {assumed} of its {len(figures)} figures are "
        "assumed or rest on an assumption, and nothing of this site was measured. Sensitivities: "
        f"between the published rates of failures, goodput where replicas go on runs from "
        f"{shrink.share[2]:.0%} to {shrink.most[0]:.0%}; a step of Llama 3 405B changes by "
        f"{ranked} between the ends of these figures (the efficiency is the one fitted number). "
        "The global batch grows with the "
        f"job; at the batch it was trained with, Llama 3 405B could not use more than {_fixed():,} "
        "GPUs."
    )


def _fixed() -> int:
    """Return the GPUs at which Llama 3 405B's published batch is one sequence per replica."""
    w = load_workload(STATED)
    published = LLAMA_REPLICAS * w.micro_batches.value
    return round(published * w.tensor.value * w.pipeline.value)


def _row(step: Step, fabric: Fabric) -> StepRow:
    times = step.step_s
    cases = sorted(figure.value for figure in power_of(fabric).all_in.values())
    shrink = goodput(fabric, step.used, "shrink")
    return StepRow(
        workload=step.workload,
        gpus=step.asked,
        used=step.used,
        tokens=step.tokens,
        step_s=_spread(times),
        exposed=_spread(step.exposed),
        mfu=_spread(step.mfu),
        parts_s={name: float(np.median(step.parts_s[name])) for name in DIMENSIONS},
        restart_optimised_goodput=goodput(fabric, step.used, "restart_optimised").share[1],
        shrink_goodput=(shrink.share[2], shrink.most[0]),
        energy_j=energy_j(float(np.median(times)), step.used, cases[len(cases) // 2]),
    )


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    middle, low, high = np.quantile(values, (0.5, 0.05, 0.95))
    return float(middle), float(low), float(high)
