"""Goodput: the share of time in which a job of N endpoints gets anywhere.

    M = 1 day / (N / node x rate)                       mean time between failures of the job

Full restart: work after the checkpoint is lost, then R; failures during R count (Daly, complete):

    goodput = T / (M e^(R/M) (e^((T + C)/M) - 1))
    T       = sqrt(2 C M) (1 + sqrt(C / 2 M) / 3 + C / 18 M) - C       time between checkpoints;
                                                                       M where C >= 2 M
Shrink and continue, others go on after S: between stalls that come one after the other, and
failures during a stall that join it,

    1 - S/M    to    M / (M + S)

R is the published cold recovery, a power law through four points of 16,384 to 98,304 GPUs. With
communicators that start in time O(N), it is the law of what remains without their start, and the
start of another set-up: an assumption. S is the published stall of about 100,000 GPUs, at any size.
C has a range: its ends go with those of the rate.

Sources: Daly, FGCS 22 (2006); arXiv:2602.00277; arXiv:2510.20171.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log, sqrt
from typing import TYPE_CHECKING

from ..bench.errors import FabricError
from .fabrics import load_facts

if TYPE_CHECKING:
    from .fabrics import Fabric, Figure
    from .fabrics.fabric import Failure

__all__ = [
    "NOTES",
    "POLICIES",
    "Goodput",
    "failure_of",
    "goodput",
    "mtbf_s",
    "recovery_s",
    "start_s",
]

DAY_S = 86_400.0
POLICIES = ("restart", "restart_optimised", "shrink")
"""Full restart with stock start of communicators, with an optimised one, replicas that go on."""

NOTES = {
    "restart": "",
    "restart_optimised": "assumed: the recovery of FT-HSDP with the start of NCCLX, two set-ups",
    "shrink": "the stall is that of about 100,000 GPUs",
}
"""Policy -> what it rests on besides published points."""

LARGEST_SEEN = 98_304
"""Endpoints of the largest job whose recovery was published."""

_POINTS = {"16k": 16_384, "22k": 22_528, "64k": 65_536, "98k": 98_304}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """One job under one policy, for the rates low, central and high of its fabric."""

    endpoints: int
    policy: str
    mtbf_s: tuple[float, float, float]
    """At the low, the central and the high rate: falling."""

    stall_s: float
    """From a failure until work goes on, without what is computed again."""

    share: tuple[float, float, float]
    most: tuple[float, float, float]
    """Where failures during a stall join it; the share itself under full restart."""

    beyond_published: bool


def failure_of(fabric: Fabric) -> Failure:
    """Return a fabric's section on failures.

    Raises
    ------
    FabricError
        If it has none.
    """
    if fabric.failure is None:
        raise FabricError(f"{fabric.name}.failure: found none, expected a rate per node and day")
    return fabric.failure


def mtbf_s(endpoints: int, rate_per_node_day: float, node: float = 8) -> float:
    """Return the mean time between failures of a job, in seconds."""
    return DAY_S / (endpoints / node * rate_per_node_day)


def start_s(endpoints: int, *, optimised: bool) -> float:
    """Return the time in which communicators start, in seconds, off published points."""
    facts = load_facts("failure")
    if optimised:
        return facts["init_optimised"].value * endpoints / facts["init_optimised_gpus"].value
    return _power_law("init_at", endpoints)


def recovery_s(endpoints: int, *, optimised: bool) -> float:
    """Return the time from a failure until all run again, in seconds."""
    if not optimised:
        return _power_law("recovery_at", endpoints)
    return _power_law("recovery_at", endpoints, "init_at") + start_s(endpoints, optimised=True)


def _power_law(name: str, endpoints: int, less: str = "") -> float:
    """Return y = a N^b through the points, or their differences, least squares of log y."""
    facts = load_facts("failure")
    x = [log(count) for count in _POINTS.values()]
    y = [
        log(facts[f"{name}_{point}"].value - (facts[f"{less}_{point}"].value if less else 0.0))
        for point in _POINTS
    ]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope /= sum((a - mean_x) ** 2 for a in x)
    return exp(mean_y + slope * (log(endpoints) - mean_x))


def goodput(fabric: Fabric, endpoints: int, policy: str) -> Goodput:
    """Return the goodput of one job on so many endpoints.

    Raises
    ------
    FabricError
        If the fabric says nothing of failures, ends below so many endpoints, or the policy is none
        of `POLICIES`.
    """
    if policy not in POLICIES:
        raise FabricError(f"policy: found {policy!r}, expected one of {', '.join(POLICIES)}")
    failure = failure_of(fabric)
    if not 1 <= endpoints <= fabric.endpoints.value:
        raise FabricError(
            f"--gpus: found {endpoints:,}, expected 1 to {fabric.endpoints.value:,.0f} on "
            f"{fabric.name}"
        )
    mean = [mtbf_s(endpoints, rate, failure.node.value) for rate in _ends(failure.rate)]
    facts = load_facts("failure")
    if policy == "shrink":
        stall = facts["stall_shrink"].value
        shares = [max(0.0, 1 - stall / m) for m in mean]
        most = [m / (m + stall) for m in mean]
    else:
        stall = recovery_s(endpoints, optimised=policy == "restart_optimised")
        cost = _ends(facts["checkpoint"])
        shares = most = [_restart_share(m, stall, c) for m, c in zip(mean, cost, strict=True)]
    return Goodput(
        endpoints=endpoints,
        policy=policy,
        mtbf_s=(mean[0], mean[1], mean[2]),
        stall_s=stall,
        share=(shares[0], shares[1], shares[2]),
        most=(most[0], most[1], most[2]),
        beyond_published=endpoints > LARGEST_SEEN,
    )


def _ends(figure: Figure) -> tuple[float, float, float]:
    return figure.low or figure.value, figure.value, figure.high or figure.value


def _restart_share(mean_s: float, recovery: float, checkpoint: float) -> float:
    part = checkpoint / (2 * mean_s)
    interval = mean_s
    if part < 1:
        interval = sqrt(2 * checkpoint * mean_s) * (1 + sqrt(part) / 3 + part / 9) - checkpoint
    lost = exp(-min(recovery / mean_s, 700.0))  # the least that a float holds
    return interval / mean_s * lost / expm1((interval + checkpoint) / mean_s)
