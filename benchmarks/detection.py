"""How often are planted stragglers and slow pairs named, and how often is anybody else.

    mpirun -n 4 python benchmarks/detection.py [--runs 50] [--delay-us 200] [--only NAME]

Every run measures anew, for less than a second on a machine of its own: all-reduces for stragglers,
a ping-pong between every two ranks for pairs. Planted in turn on every rank or pair:

    late       a rank arrives late at every operation (the skew one-late)
    slow       a rank rests inside every operation, before it leaves
    slow_pair  two ranks rest before they answer each other
    slow_rank  a rank rests before it answers any other

Printed are the runs in which exactly that was named, nothing was, and anything else was.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from dataclasses import replace
from itertools import combinations
from typing import Any

from collcast.analysis.pair import find_slow
from collcast.analysis.straggler import rosters_of
from collcast.bench import pairs
from collcast.bench.buffers import BufferPool
from collcast.bench.case import Case
from collcast.bench.clock import CommonClock
from collcast.bench.environment import Environment, Location
from collcast.bench.measure import Session, measure
from collcast.bench.mpi import load_mpi
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch
from collcast.bench.transports import Transport, open_transport
from collcast.bench.transports.pair import PairTransport
from collcast.native import BUILTINS, Step

SIZES = (8, 512, 4096)
SAMPLES = 150
PAIR_SAMPLES = 60
Ranks = tuple[int, ...]


class Resting(Transport):
    """A transport whose operations take longer on this rank."""

    name = "mpi"

    def __init__(self, real: Any, delay_ns: int) -> None:
        self._real, self._rest = real, Step(BUILTINS["delay"], (delay_ns,), "timed")

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        return (*self._real.operation(case, buffers), self._rest)

    def describe(self, code: int, function: int = 0) -> str:
        return str(self._real.describe(code, function))


class RestingPair(PairTransport):
    """Messages between two ranks, of which planted ones rest before they answer."""

    planted: Ranks = ()
    delay_ns = 0

    def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
        first, second = super().operation(case, buffers)
        both = {case.root, case.peer}
        answers = self._communicator.rank == 1
        if self.planted and set(self.planted) <= both and answers:
            return first, Step(BUILTINS["delay"], (self.delay_ns,), "timed"), second
        return first, second


def campaign_of(session: Session, found: list[Any], world: Any) -> Campaign:
    environment = Environment(
        ranks=world.size,
        location=Location(host=("host",) * world.size),
        cores_per_host={"host": len(os.sched_getaffinity(0))},
    )
    launch = Launch(number=0, protocol=session.protocol, environment=environment)
    return Campaign(launches=(launch,), measurements=tuple(found))


def straggler_run(session: Session, kind: str, who: int, delay_ns: int) -> list[Ranks]:
    """Measure all-reduces; return who was named, on rank 0."""
    world = session.communicator
    if kind == "late":
        skew = f"one-late:rank={who},{delay_ns}ns"
        session = replace(session, protocol=replace(session.protocol, skew=skew))
    if kind == "slow" and world.rank == who:
        transport = Resting(session.transports["mpi"], delay_ns)
        session = replace(session, transports={"mpi": transport})
    found = [measure(Case(collective="all_reduce", message_bytes=n), session) for n in SIZES]
    if world.rank != 0:
        return []
    (roster,) = rosters_of(campaign_of(session, found, world))
    return [(record.rank,) for record in roster.stragglers]


def pair_run(session: Session, planted: Ranks, delay_ns: int, seed: int) -> list[Ranks]:
    """Measure every pair; return what was named, on rank 0."""
    world = session.communicator
    RestingPair.planted, RestingPair.delay_ns = planted, delay_ns
    cases = [
        Case(collective="ping_pong", message_bytes=n, root=i, peer=j)
        for n in SIZES
        for i, j in combinations(range(world.size), 2)
    ]
    random.Random(seed).shuffle(cases)
    session = replace(session, protocol=replace(session.protocol, repetitions=PAIR_SAMPLES))
    found = [m for case in cases for m in pairs.measure_pairs([case], session)]
    if world.rank != 0:
        return []
    return [slow.ranks for slow in find_slow(campaign_of(session, found, world))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--delay-us", type=float, default=200)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    world, delay_ns = load_mpi().COMM_WORLD, round(1000 * options.delay_us)
    pairs.open_pair = lambda _name, pair, batch: RestingPair(pair, batch)
    session = Session(
        communicator=world,
        transports={"mpi": open_transport("mpi", world)},
        pool=BufferPool(max(SIZES), "host"),
        protocol=Protocol(repetitions=SAMPLES, warmup=5),
        clock=CommonClock(world, ["host"] * world.size),
        launch=0,
        labels=("oversubscribed",) if len(os.sched_getaffinity(0)) < world.size else (),
    )
    every_pair = list(combinations(range(world.size), 2))
    for kind in ("quiet", "late", "slow", "quiet_pairs", "slow_pair", "slow_rank"):
        if options.only not in {"", kind}:
            continue
        right = silent = other = 0
        began_s = time.monotonic()
        for run in range(options.runs):
            who = run % world.size
            planted: Ranks = () if kind.startswith("quiet") else (who,)
            if kind == "slow_pair":
                planted = every_pair[run % len(every_pair)]
            if kind in {"quiet", "late", "slow"}:
                named = straggler_run(session, kind, who, delay_ns)
            else:
                named = pair_run(session, planted, delay_ns, run)
            right += named == ([planted] if planted else [])
            silent += bool(planted) and not named
            other += any(name != planted for name in named)
            if world.rank == 0 and any(name != planted for name in named):
                print(f"  {kind} run {run}: planted {planted}, named {named}", flush=True)
        if world.rank == 0:
            taken_s = (time.monotonic() - began_s) / options.runs
            print(
                f"{kind:<12} right in {right} of {options.runs}, nothing named {silent}, "
                f"false names {other}; {taken_s:.2f} s a run",
                flush=True,
            )


if __name__ == "__main__":
    main()
