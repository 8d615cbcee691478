"""Goodput: the share of time in which a job of N endpoints gets anywhere.

    M = 1 day / (N / node x rate)                       mean time between failures of the job
    T* = sqrt(2 M C)                                    Young: time between checkpoints
    goodput = 1 - C/T* - (T*/2 + R)/M                   full restart: work after the checkpoint
                                                        is lost, then R; never below 0
    goodput = 1 - S/M                                  shrink and continue: others go on after S

R is the published cold recovery, a power law through four points of 16,384 to 98,304 GPUs; where
communicators start in time O(N), that share of it is exchanged. S is the published stall.

Sources: Young, CACM 17 (1974); Daly, FGCS 22 (2006); arXiv:2602.00277; arXiv:2510.20171.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

from ..bench.errors import FabricError
from .fabrics import load_facts

if TYPE_CHECKING:
    from .fabrics import Fabric
    from .fabrics.fabric import Failure

__all__ = ["POLICIES", "Goodput", "failure_of", "goodput", "mtbf_s", "recovery_s", "start_s"]

DAY_S = 86_400.0
POLICIES = ("restart", "restart_optimised", "shrink")
"""Full restart with stock start of communicators, with an optimised one, replicas that go on."""

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
    cold = _power_law("recovery_at", endpoints)
    if not optimised:
        return cold
    rest = cold - start_s(endpoints, optimised=False)
    return max(rest, 0.0) + start_s(endpoints, optimised=True)


def _power_law(name: str, endpoints: int) -> float:
    """Return y = a N^b through the points, least squares of log y."""
    facts = load_facts("failure")
    x = [log(count) for count in _POINTS.values()]
    y = [log(facts[f"{name}_{point}"].value) for point in _POINTS]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope /= sum((a - mean_x) ** 2 for a in x)
    return exp(mean_y + slope * (log(endpoints) - mean_x))


def goodput(fabric: Fabric, endpoints: int, policy: str) -> Goodput:
    """Return the goodput of one job on so many endpoints.

    Raises
    ------
    FabricError
        If the fabric says nothing of failures, or the policy is none of `POLICIES`.
    """
    if policy not in POLICIES:
        raise FabricError(f"policy: found {policy!r}, expected one of {', '.join(POLICIES)}")
    failure = failure_of(fabric)
    low, high = failure.rate.low, failure.rate.high
    rates = (low or failure.rate.value, failure.rate.value, high or failure.rate.value)
    between = [mtbf_s(endpoints, rate, failure.node.value) for rate in rates]
    if policy == "shrink":
        stall = load_facts("failure")["stall_shrink"].value
        shares = [max(0.0, 1 - stall / mean) for mean in between]
    else:
        stall = recovery_s(endpoints, optimised=policy == "restart_optimised")
        shares = [_restart_share(mean, stall) for mean in between]
    return Goodput(
        endpoints=endpoints,
        policy=policy,
        mtbf_s=(between[0], between[1], between[2]),
        stall_s=stall,
        share=(shares[0], shares[1], shares[2]),
        beyond_published=endpoints > LARGEST_SEEN,
    )


def _restart_share(mean_s: float, recovery: float) -> float:
    checkpoint = load_facts("failure")["checkpoint"].value
    interval = sqrt(2 * mean_s * checkpoint)
    return max(0.0, 1 - checkpoint / interval - (interval / 2 + recovery) / mean_s)
