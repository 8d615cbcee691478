"""Memory and time to write and to summarise a campaign of very many ranks that do not exist.

    python benchmarks/bounded_memory.py [--ranks 10000] [--cases 30] [--repetitions 100]

Every case is gathered in blocks from synthetic ranks, appended to the journal, consolidated, read
and summarised, each step in a process of its own whose peak resident memory is printed, less what
the imports take.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = """
import resource, sys, time
from pathlib import Path
import numpy as np
from collcast.analysis.dataset import dataset_of
from collcast.bench import store
from collcast.bench.case import Case
from collcast.bench.environment import Environment
from collcast.bench.measure import gather_sample
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Launch, Measurement

step, path = sys.argv[1], Path(sys.argv[2])
ranks, cases, repetitions = map(int, sys.argv[3:6])
def peak():
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024
before, began = peak(), time.perf_counter()

class Ranks:
    rank, size = 0, ranks
    generator = np.random.default_rng(0)
    def Gather(self, mine, block):
        noise = self.generator.lognormal(6, 1, block.shape).astype(np.int64)
        np.add(mine, noise, out=block)

def write():
    launch = Launch(number=0, protocol=Protocol(), environment=Environment(ranks=ranks))
    store.append_launch(path, launch)
    for number in range(cases):
        gaps = np.random.default_rng(number).integers(20_000, 30_000, 2 * repetitions)
        stamps = 10**15 + np.cumsum(gaps).reshape(-1, 2).T
        world = Ranks()
        sample, warmup = gather_sample(world, stamps, 1), gather_sample(world, stamps[:, :2], 1)
        store.append_measurement(path, Measurement(
            case=Case(collective="all_reduce", message_bytes=8 << number % 24), sample=sample,
            warmup=warmup, launch=0, wrong=0))

def summarise():
    rows = dataset_of(store.read_campaign(path)).rows
    assert sum(row.repetitions for row in rows) == cases * repetitions

{"write": write, "consolidate": lambda: store.consolidate(path), "summarise": summarise}[step]()
size = sum(file.stat().st_size for file in path.parent.iterdir()) / 2**20
print(f"{step}: {time.perf_counter() - began:.1f} s, peak {peak() - before:.0f} MiB beyond "
      f"{before:.0f} MiB of imports; files {size:.0f} MiB")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("ranks", 10_000), ("cases", 30), ("repetitions", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    numbers = [options.ranks, options.cases, options.repetitions]
    raw = 16 * numbers[0] * numbers[1] * (numbers[2] + 2) / 2**20
    print(f"{numbers[0]} ranks x {numbers[1]} cases x {numbers[2]} repetitions: {raw:.0f} MiB raw")
    with tempfile.TemporaryDirectory() as folder:
        for step in ("write", "consolidate", "summarise"):
            path = str(Path(folder) / "run.h5")
            command = [sys.executable, "-c", STEPS, step, path, *map(str, numbers)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
