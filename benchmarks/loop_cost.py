"""Cost of the timed loop around an empty C function, above two bare readings of the clock.

    python benchmarks/loop_cost.py

Interleaved rounds on one core; the medians over rounds are compared, since machines are noisy. The
second part varies the number of samples: the loop has no size-dependent part if the cost stays.
"""

from __future__ import annotations

from statistics import median

import numpy as np

from collcast.native import BUILTINS, Step, run, stamp

ROUNDS = 41


def per_sample_ns(samples: int, steps: tuple[Step, ...]) -> float:
    """Time of one sample, everything included, from the first start to the last."""
    start, stop = np.zeros(samples, np.int64), np.zeros(samples, np.int64)
    run(steps, start, stop)
    return float(start[-1] - start[0]) / (samples - 1)


def two_stamps_ns(samples: int) -> float:
    """Twice the time of one reading of the clock."""
    stamps = np.zeros(samples, np.int64)
    stamp(stamps)
    return 2 * float(stamps[-1] - stamps[0]) / (samples - 1)


def main() -> None:
    steps = (Step(BUILTINS["nothing"], (), "timed"),)
    for samples in (1_000, 10_000, 100_000, 1_000_000):
        loops, stamps = [], []
        for _ in range(ROUNDS if samples < 1_000_000 else 5):
            loops.append(per_sample_ns(samples, steps))
            stamps.append(two_stamps_ns(samples))
        above = median(loop - bare for loop, bare in zip(loops, stamps, strict=True))
        print(
            f"{samples:>9} samples: loop {median(loops):6.1f} ns, two stamps "
            f"{median(stamps):6.1f} ns, above them {above:5.1f} ns"
        )


if __name__ == "__main__":
    main()
