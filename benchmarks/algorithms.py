"""Our algorithms by name against Open MPI's own of the same name, forced: 2 ranks, ABBA order.

    python benchmarks/algorithms.py [--pairs 15] [--sizes 64K:4M]

One launch per algorithm, with coll_tuned's choice forced in its environment. Inside it, both sides
take turns on the same buffers, a barrier before every call, in chunks of about 20 ms: ours, theirs,
theirs, ours. A chunk's time is the median over its calls of the slower rank's; the figure is the
median over pairs of the ratio ours / theirs, with the quartiles, so that what the machine does
meanwhile meets both.

Open MPI's recursive doubling sends from a copy of the input; one rank of two reduces into it and
copies the result back (coll_base_allreduce.c); ours needs no copy. A second comparison makes them.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
from dataclasses import replace
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import numpy as np

from collcast.bench.buffers import BufferPool, pointer_of
from collcast.bench.case import Case
from collcast.bench.launcher import find_launcher, launched_rank
from collcast.bench.mpi import load_mpi
from collcast.bench.transports import open_transport
from collcast.bench.transports.mpi import barrier_step
from collcast.bench.units import format_bytes, parse_sizes
from collcast.bench.world import join_world
from collcast.native import Step, run

if TYPE_CHECKING:
    from collcast.bench.buffers import Buffers

RANKS = 2
CHUNK_S = 0.02
COPIES = "recursive_doubling and copies"
FORCED = {
    ("all_reduce", "ring"): ("allreduce", "4"),
    ("all_reduce", "recursive_doubling"): ("allreduce", "3"),
    ("all_reduce", COPIES): ("allreduce", "3"),
    ("all_to_all", "pairwise"): ("alltoall", "2"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--sizes", default="64K:4M")
    parser.add_argument("--of", default="", help="collective,algorithm: given to the ranks")
    arguments = parser.parse_args()
    if launched_rank(os.environ) is not None:
        collective, _, algorithm = arguments.of.partition(",")
        compare(collective, algorithm, parse_sizes(arguments.sizes), arguments.pairs)
        return
    launcher = find_launcher()
    for (collective, algorithm), (function, choice) in FORCED.items():
        command = [launcher.path, "-n", str(RANKS), sys.executable, __file__]
        command += ["--of", f"{collective},{algorithm}", "--sizes", arguments.sizes]
        subprocess.run(
            [*command, "--pairs", str(arguments.pairs)],
            env={
                **os.environ,
                **launcher.environment(RANKS, os.cpu_count() or RANKS),
                "OMPI_MCA_coll_tuned_use_dynamic_rules": "1",
                f"OMPI_MCA_coll_tuned_{function}_algorithm": choice,
            },
            check=True,
        )


def copying(steps: tuple[Step, ...], buffers: Buffers, kept: Any, rank: int) -> tuple[Step, ...]:
    """Return recursive doubling of two ranks with Open MPI's copies, in memory that is kept."""
    exchange, reduction = steps
    send, receive, copy = map(pointer_of, (buffers.send, buffers.receive, kept))
    memcpy = ctypes.cast(ctypes.CDLL(None).memcpy, ctypes.c_void_p).value or 0
    size, more = buffers.send.nbytes, reduction.arguments[2:]
    begin = (
        Step(memcpy, (copy, send, size), "timed", ok=()),
        replace(exchange, arguments=(copy, *exchange.arguments[1:])),
    )
    if rank == 0:  # the lower rank reduces into the result
        return (*begin, replace(reduction, arguments=(copy, receive, *more)))
    back = Step(memcpy, (receive, copy, size), "timed", ok=())
    return (*begin, replace(reduction, arguments=(receive, copy, *more)), back)


def compare(collective: str, algorithm: str, sizes: tuple[int, ...], pairs: int) -> None:
    """Print one line per size, from rank 0."""
    world = join_world()
    pool, transport = BufferPool(max(sizes), "host"), open_transport("mpi", world)
    kept = np.ones(max(sizes), np.uint8)  # of malloc, whose alignment is not a page's

    def steps_of(size: int, name: str) -> tuple[Step, ...]:
        case = Case(
            collective=collective, message_bytes=size, algorithm=name.removesuffix(" and copies")
        )
        buffers = pool.buffers(case, world.rank, world.size)
        buffers.prepare(case, world.rank, world.size, 0)
        steps = transport.operation(case, buffers)
        if name == COPIES:
            steps = copying(steps, buffers, kept, world.rank)
        return (barrier_step(world), *steps)

    def time_s(steps: tuple[Step, ...], count: int) -> float:
        stamps = np.empty((2, count), np.int64)
        run(steps, *stamps)
        slower = np.empty(count, np.int64)
        world.Allreduce(np.ascontiguousarray(stamps[1] - stamps[0]), slower, load_mpi().MAX)
        return float(np.median(slower)) * 1e-9

    ratios: list[float] = []
    for size in sizes:
        ours, theirs = steps_of(size, algorithm), steps_of(size, "native")
        count = max(5, round(CHUNK_S / max(time_s(ours, 20), time_s(theirs, 20))))
        turns = [
            [time_s(side, count) for side in (ours, theirs, theirs, ours)] for _ in range(pairs)
        ]
        low, middle, high = quantiles([(a + d) / (b + c) for a, b, c, d in turns], n=4)
        ratios.append(middle)
        if world.rank == 0:
            own_us, their_us = (
                1e6 * median(turn[i] for turn in turns for i in places)
                for places in ((0, 3), (1, 2))
            )
            print(
                f"{f'{collective} {algorithm} {format_bytes(size)}':<46} {own_us:9.1f} us "
                f"{their_us:9.1f} us  ratio {middle:6.3f}  quartiles {low:.3f} {high:.3f}",
                flush=True,
            )
    if world.rank == 0:
        worst = max(ratios)
        print(f"{collective} {algorithm}: median {median(ratios):.3f}, largest {worst:.3f}")


if __name__ == "__main__":
    main()
