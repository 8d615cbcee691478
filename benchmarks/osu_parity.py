"""collcast's `latency` against OSU's own programs, or against c_loop.c: short pairs in ABBA order.

    python benchmarks/osu_parity.py [--osu FOLDER] [--pairs 15] [--sizes 8:4M:x8]

FOLDER holds OSU's osu_allreduce and osu_alltoall, built with the mpicc of the MPI that mpi4py
loads. Without it, benchmarks/c_loop.c is built with the mpicc beside this Python. Both sides run
the same number of iterations per size on int8 (MPI_CHAR), 2 ranks, a barrier around every call, and
report the mean over ranks of the mean time of a call, which is OSU's "Avg Latency".

Machines drift by 20 % within minutes, so the figure is the median over pairs of the ratio
collcast / peer per size, and the median of those over the sizes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from collcast.bench.launcher import find_launcher
from collcast.bench.store import read_campaign, remove_campaign
from collcast.bench.units import format_bytes, parse_sizes

OSU_NAMES = {"all_reduce": "osu_allreduce", "all_to_all": "osu_alltoall"}


def iterations(size: int) -> int:
    """OSU's own numbers are 1000 up to 8 KiB and 100 beyond; ten times as many steady the mean."""
    return 10_000 if size <= 8192 else 1000 if size <= 262_144 else 200


class Pair:
    """The two programs, each timing one collective at one size."""

    def __init__(self, osu: Path | None, folder: Path) -> None:
        launcher = find_launcher()
        self._mpiexec = [str(launcher.path), "-n", "2"]
        self._environment = {**os.environ, **launcher.environment(2, os.cpu_count() or 2)}
        self._osu, self._file = osu, folder / "ours.h5"
        self._c_loop = folder / "c_loop"
        if osu is None:
            source = Path(__file__).parent / "c_loop.c"
            mpicc = Path(sys.executable).parent / "mpicc"
            subprocess.run([mpicc, "-O2", "-o", self._c_loop, source], check=True)

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(
            [*self._mpiexec, *map(str, command)],
            env=self._environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def peer_us(self, collective: str, size: int) -> float:
        count = str(iterations(size))
        if self._osu is None:
            return float(self._run(self._c_loop, collective, str(size), count))
        per_peer = size // 2 if collective == "all_to_all" else size  # OSU's size is per peer
        text = self._run(
            self._osu / OSU_NAMES[collective], "-m", f"{per_peer}:{per_peer}", "-i", count,
            "-x", str(int(count) // 10),
        )  # fmt: skip
        row = re.search(rf"^{per_peer}\s+([0-9.]+)", text, re.MULTILINE)
        assert row is not None, text
        return float(row[1])

    def ours_us(self, collective: str, size: int) -> float:
        count = iterations(size)
        remove_campaign(self._file)
        self._run(
            sys.executable, "-m", "collcast.bench", "run", collective, "--sizes", str(size),
            "--dtype", "int8", "--repetitions", str(count), "--warmup", str(count // 10),
            "--quiet", "-o", self._file,
        )  # fmt: skip
        (measurement,) = read_campaign(self._file).measurements
        return float(measurement.sample.local_s().mean() * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--osu", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--sizes", default="8:4M:x8")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(options.osu, Path(folder))
        for collective in OSU_NAMES:
            medians = []
            for size in parse_sizes(options.sizes):
                ratios, ours_us, peer_us = [], [], []
                for number in range(options.pairs):
                    sides = [(pair.ours_us, ours_us), (pair.peer_us, peer_us)]
                    for measure, times in sides if number % 2 == 0 else sides[::-1]:
                        times.append(measure(collective, size))
                    ratios.append(ours_us[-1] / peer_us[-1])
                medians.append(median(ratios))
                low, high = min(ratios), max(ratios)
                print(
                    f"{collective} {format_bytes(size):>5}  ours {median(ours_us):9.2f} us  peer "
                    f"{median(peer_us):9.2f} us  ratio {medians[-1]:.3f} [{low:.2f}, {high:.2f}]",
                    flush=True,
                )
            print(f"{collective}: median ratio {median(medians):.3f}, largest {max(medians):.3f}")


if __name__ == "__main__":
    main()
