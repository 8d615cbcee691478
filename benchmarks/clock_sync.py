"""The common clock over a minute, against clocks that drift and wander.

    mpirun -n 2 python benchmarks/clock_sync.py [--seconds 60] [--period 10]

Every rank pretends to be a host of its own, whose clock is off by up to 1000 s, drifts by about
30 ppm, and whose frequency does a random walk of 10 ppb per 0.1 s (a good crystal wanders by less
than 1 ppm over hours). Printed is how far the common time of stamps taken between
synchronisations lies from the truth, and how often within the bound that collcast states.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from collcast.bench.clock import CommonClock
from collcast.bench.mpi import load_mpi
from collcast.native import monotonic_ns

STEP_NS = 100_000_000


class Distortion:
    """A pretended clock: offset, drift, and a frequency that wanders."""

    def __init__(self, origin_ns: int, seconds: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        steps = int(seconds * 1e9 / STEP_NS) + 100
        frequency = rng.normal(0, 30e-6) + np.cumsum(rng.normal(0, 1e-8, steps))
        self._phase = np.concatenate([[0], np.cumsum(frequency * STEP_NS)])
        self._phase += rng.integers(-(10**12), 10**12)
        self._origin_ns = origin_ns

    def __call__(self, true_ns: object) -> np.ndarray:
        true = np.asarray(true_ns, np.int64)
        steps = (true - self._origin_ns) / STEP_NS
        return true + np.rint(np.interp(steps, np.arange(len(self._phase)), self._phase)).astype(
            int
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--period", type=float, default=10, help="seconds between synchronisations")
    options = parser.parse_args()
    world = load_mpi().COMM_WORLD
    origin_ns = world.bcast(monotonic_ns())
    clocks = [Distortion(origin_ns, options.seconds, seed) for seed in range(world.size)]
    own = clocks[world.rank]
    clock = CommonClock(world, [f"host{rank}" for rank in range(world.size)], own)
    clock.synchronise()
    errors_ns, bounds_ns = [], []
    while world.bcast(monotonic_ns() - origin_ns < options.seconds * 1e9):
        since_ns = int(own(monotonic_ns()))
        true_ns = []
        for _ in range(50):
            time.sleep(options.period / 50)
            true_ns.append(monotonic_ns())
        clock.synchronise()
        errors_ns += list(np.abs(clock.to_common_ns(own(true_ns)) - clocks[0](true_ns)))
        bounds_ns += [clock.error_ns(since_ns)] * len(true_ns)
        clock.forget()
    for rank, (errors, bounds) in enumerate(world.gather((errors_ns, bounds_ns)) or []):
        kept = 100 * np.mean(np.array(errors) <= bounds)
        print(
            f"rank {rank}: error median {np.median(errors):.0f} ns, 99 % "
            f"{np.percentile(errors, 99):.0f} ns, largest {max(errors):.0f} ns; stated bound "
            f"{np.median(bounds):.0f} ns, kept by {kept:.1f} % "
            f"of {len(errors)} stamps"
        )


if __name__ == "__main__":
    main()
