"""Share of a sweep's wall time that lies inside timed or warm-up loops, and its memory per rank.

    python benchmarks/harness_cost.py [--sizes 64K:4M] [--budget 500ms]

A launch's wall time runs from the first warm-up's start to the last sample's stop: verification,
decisions, gathering and the journal's writes count as outside. Inside a loop, samples follow each
other within less than GAP; longer gaps count as outside, too. Run again with every case repeated,
peak memory shows whether it grows with the number of cases.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from collcast.bench.launcher import find_launcher
from collcast.bench.sample import Sample
from collcast.bench.store import read_campaign

GAP_NS = 100_000  # a barrier takes less, a decision between chunks more


def inside_ns(sample: Sample) -> int:
    """Time of the loops of one sample on rank 0."""
    start, stop = sample.start_ns[:, 0], sample.stop_ns[:, 0]
    gaps = start[1:] - stop[:-1]
    return int((stop - start).sum() + gaps[gaps < GAP_NS].sum())


def sweep(folder: Path, sizes: str, budget: str) -> tuple[float, float, int]:
    """Share inside loops, peak memory of the largest rank in MiB, number of cases."""
    launcher = find_launcher()
    file = folder / f"{sizes.count(',')}.h5"
    probe = (
        "import resource, runpy, sys\n"
        "sys.argv[0] = 'collcast'\n"
        "try:\n    runpy.run_module('collcast.bench', run_name='__main__')\n"
        "finally:\n    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [str(launcher.path), "-n", "2", sys.executable, "-c", probe, "run", "all_reduce",
         "all_to_all", "--sizes", sizes, "--precision", "0.00001", "--budget", budget, "--quiet",
         "-o", str(file)],
        env={**os.environ, **launcher.environment(2, os.cpu_count() or 2)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peaks = [int(kib) / 1024 for kib in re.findall(r"peak (\d+)", done.stdout)]
    cases = read_campaign(file).measurements
    inside = sum(inside_ns(case.sample) + inside_ns(case.warmup) for case in cases)
    first = min(int(case.warmup.start_ns.min()) for case in cases)
    last = max(int(case.sample.stop_ns.max()) for case in cases)
    return inside / (last - first), float(np.max(peaks)), len(cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="64K:4M")
    parser.add_argument("--budget", default="500ms")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for sizes in (
            options.sizes,
            f"{options.sizes},{options.sizes}:x4,96K,160K,320K,640K,1280K",
        ):
            share, peak_mib, cases = sweep(Path(folder), sizes, options.budget)
            print(
                f"{cases} cases: {100 * share:.1f} % inside loops, peak {peak_mib:.0f} MiB a rank"
            )


if __name__ == "__main__":
    main()
