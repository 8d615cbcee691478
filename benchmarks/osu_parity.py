"""collcast's `latency` against OSU's or IMB's own programs, or c_loop.c: short pairs, ABBA order.

    python benchmarks/osu_parity.py [--osu FOLDER | --imb PROGRAM] [--pairs 15] [--sizes 8:4M]

FOLDER holds OSU's osu_allreduce and osu_alltoall, PROGRAM is IMB-MPI1 (its makefile compiles with
-O0: use -O2), each built with the mpicc of the MPI that mpi4py loads. Without one,
benchmarks/c_loop.c is built with the mpicc beside this Python. Both sides run the same number of
iterations per size, on the peer's own datatype, 2 ranks, a barrier around every call, and report
the mean over ranks of the mean time of a call: OSU's "Avg Latency" and IMB's "t_avg".

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
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Protocol

from collcast.bench.launcher import find_launcher
from collcast.bench.store import read_campaign, remove_campaign
from collcast.bench.units import format_bytes, parse_sizes

RANKS = 2
OSU_NAMES = {"all_reduce": "osu_allreduce", "all_to_all": "osu_alltoall"}
IMB_NAMES = {"all_reduce": "Allreduce", "all_to_all": "Alltoall"}
BYTES = {"all_reduce": "int8", "all_to_all": "int8"}
IMB_DTYPES = {"all_reduce": "float32", "all_to_all": "int8"}

Times = dict[int, float]
"""Microseconds of one call by message size in bytes."""


def iterations(size: int) -> int:
    """OSU's own numbers are 1000 up to 8 KiB and 100 beyond; ten times as many steady the mean."""
    return 10_000 if size <= 8192 else 1000 if size <= 262_144 else 200


def launch(*command: str | Path) -> str:
    """Run a program on all ranks; what it printed."""
    launcher = find_launcher()
    done = subprocess.run(
        [launcher.path, "-n", str(RANKS), *command],
        env={**os.environ, **launcher.environment(RANKS, os.cpu_count() or RANKS)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


class Side(Protocol):
    """A program that times one collective on sizes that share a number of iterations."""

    def times_us(self, collective: str, sizes: list[int], count: int) -> Times:
        """Time `count` calls per size."""
        ...


class Ours:
    """collcast on a datatype per collective."""

    def __init__(self, dtypes: dict[str, str], folder: Path) -> None:
        self._dtypes, self._file = dtypes, folder / "ours.h5"

    def times_us(self, collective: str, sizes: list[int], count: int) -> Times:
        remove_campaign(self._file)
        launch(
            sys.executable, "-m", "collcast.bench", "run", collective,
            "--sizes", ",".join(map(str, sizes)), "--dtype", self._dtypes[collective],
            "--repetitions", str(count), "--warmup", str(count // 10), "--quiet", "-o", self._file,
        )  # fmt: skip
        return {
            found.case.message_bytes: float(found.sample.local_s().mean() * 1e6)
            for found in read_campaign(self._file).measurements
        }


class Osu:
    """OSU's programs; their all-to-all size is per peer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def times_us(self, collective: str, sizes: list[int], count: int) -> Times:
        parts = RANKS if collective == "all_to_all" else 1
        text = launch(
            self._folder / OSU_NAMES[collective],
            "-m", f"{min(sizes) // parts}:{max(sizes) // parts}",
            "-i", str(count), "-x", str(count // 10),
        )  # fmt: skip
        rows = re.findall(r"^(\d+)\s+([0-9.]+)", text, re.MULTILINE)
        return {int(size) * parts: float(time) for size, time in rows}


class Imb:
    """IMB-MPI1; floats in reductions, bytes elsewhere, all-to-all's size per peer."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._lengths = program, folder / "lengths.txt"

    def times_us(self, collective: str, sizes: list[int], count: int) -> Times:
        parts = RANKS if collective == "all_to_all" else 1
        self._lengths.write_text("".join(f"{size // parts}\n" for size in sizes))
        text = launch(
            self._program, IMB_NAMES[collective], "-npmin", str(RANKS), "-iter_policy", "off",
            "-iter", f"{count},1000000", "-time", "60", "-msglen", self._lengths,
        )  # fmt: skip
        row = r"^\s+(\d+)\s+(\d+)\s+[0-9.]+\s+[0-9.]+\s+([0-9.]+)\s*$"
        rows = re.findall(row, text, re.MULTILINE)
        assert all(int(repetitions) == count for _size, repetitions, _time in rows), text
        return {int(size) * parts: float(time) for size, _repetitions, time in rows}


class CLoop:
    """OSU's order of calls in plain C, from the file beside this one."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "c_loop"
        source = Path(__file__).parent / "c_loop.c"
        mpicc = Path(sys.executable).parent / "mpicc"
        subprocess.run([mpicc, "-O2", "-o", self._program, source], check=True)

    def times_us(self, collective: str, sizes: list[int], count: int) -> Times:
        return {
            size: float(launch(self._program, collective, str(size), str(count))) for size in sizes
        }


def compare(collective: str, sizes: list[int], ours: Side, peer: Side, pairs: int) -> None:
    """Print the ratio per size and over all sizes."""
    times: dict[Side, dict[int, list[float]]] = {side: defaultdict(list) for side in (ours, peer)}
    for number in range(pairs):
        for count, group in groupby(sizes, iterations):
            members = list(group)
            for side in (ours, peer) if number % 2 == 0 else (peer, ours):
                found = side.times_us(collective, members, count)
                for size in members:
                    times[side][size].append(found[size])
    medians = []
    for size in sizes:
        ratios = [a / b for a, b in zip(times[ours][size], times[peer][size], strict=True)]
        medians.append(median(ratios))
        print(
            f"{collective} {format_bytes(size):>5}  ours {median(times[ours][size]):9.2f} us  peer "
            f"{median(times[peer][size]):9.2f} us  ratio {medians[-1]:.3f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]",
            flush=True,
        )
    print(f"{collective}: median ratio {median(medians):.3f}, largest {max(medians):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    peers = parser.add_mutually_exclusive_group()
    peers.add_argument("--osu", type=Path)
    peers.add_argument("--imb", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--sizes", default="8:4M")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer: Side
        if options.osu:
            peer = Osu(options.osu)
        elif options.imb:
            peer = Imb(options.imb, folder)
        else:
            peer = CLoop(folder)
        ours = Ours(IMB_DTYPES if options.imb else BYTES, folder)
        for collective in BYTES:
            compare(collective, list(parse_sizes(options.sizes)), ours, peer, options.pairs)


if __name__ == "__main__":
    main()
