"""collcast's `throughput` against nccl-tests' programs on the same NCCL: short pairs, ABBA order.

    python benchmarks/nccl_tests_parity.py --nccl-tests FOLDER [--ranks 2] [--ranks-per-gpu 2]
                                           [--sizes 8:1G:x4] [--pairs 6] [--batch 20]

FOLDER holds all_reduce_perf and the like, built with MPI=1 for the mpiexec beside this Python and
against the libnccl that collcast loads; each prints its version. Both sides queue `batch`
operations back to back and wait once, out of place, and report the mean over ranks; of collcast's
samples the mean is taken as well, so that neither side is the more robust.

Machines drift, so the figure is the median over pairs of the ratio collcast / nccl-tests per size,
and the median of those over the sizes. Several ranks on one GPU need NCCL_TESTS_DEVICE=0 and NCCL's
own settings in the environment; both are passed on.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from collcast.bench.launcher import find_launcher
from collcast.bench.store import read_campaign, remove_campaign
from collcast.bench.units import format_bytes, parse_sizes

PROGRAMS = {
    "all_reduce": "all_reduce_perf",
    "all_gather": "all_gather_perf",
    "reduce_scatter": "reduce_scatter_perf",
    "all_to_all": "alltoall_perf",
    "broadcast": "broadcast_perf",
    "send_recv": "sendrecv_perf",
}
SAMPLES = 5  # of collcast per pair: a batch each, after one to warm up
ROW = re.compile(r"^\s+(\d+)\s+\d+\s+\w+\s+\w+\s+-?\d+\s+([0-9.]+)", re.MULTILINE)

Times = dict[int, float]
"""Microseconds of one operation by message size in bytes."""


def launch(options: argparse.Namespace, *command: str | Path) -> str:
    """Run a program on all ranks; what it printed."""
    launcher = find_launcher()
    done = subprocess.run(
        [launcher.path, "-n", str(options.ranks), *command],
        env={**os.environ, **launcher.environment(options.ranks, os.cpu_count() or options.ranks)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{Path(command[0]).name}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def ours(options: argparse.Namespace, sizes: list[int], file: Path) -> Times:
    """Mean over ranks and samples."""
    remove_campaign(file)
    launch(
        options, sys.executable, "-m", "collcast.bench", "run", options.collective,
        "--memory", "device", "--transport", "nccl", "--protocol", "throughput",
        "--ranks-per-gpu", str(options.ranks_per_gpu), "--sizes", ",".join(map(str, sizes)),
        "--batch", str(options.batch), "--repetitions", str(SAMPLES), "--warmup", "1",
        "--quiet", "-o", file,
    )  # fmt: skip
    return {
        found.case.message_bytes: float(found.sample.local_s().mean() * 1e6)
        for found in read_campaign(file).measurements
    }


def theirs(options: argparse.Namespace, sizes: list[int]) -> Times:
    """nccl-tests' out-of-place time of the same sizes, a launch each.

    In a sweep it moves through buffers of the largest size from one operation to the next, so that
    no cache holds the smaller ones.
    """
    found: Times = {}
    for size in map(str, sizes):
        text = launch(
            options, options.nccl_tests / PROGRAMS[options.collective],
            "-b", size, "-e", size, "-g", "1",
            "-n", str(options.batch), "-w", str(options.batch), "-c", "0",
        )  # fmt: skip
        found |= {int(size): float(time) for size, time in ROW.findall(text)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nccl-tests", type=Path, required=True)
    parser.add_argument("--collective", choices=PROGRAMS, default="all_reduce")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--ranks-per-gpu", type=int, default=1)
    parser.add_argument("--sizes", default="8:1G:x4", help="FIRST:LAST[:xN] or a list")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=20)
    options = parser.parse_args()
    sizes = list(parse_sizes(options.sizes))
    times: dict[str, dict[int, list[float]]]
    times = {"ours": defaultdict(list), "peer": defaultdict(list)}
    with tempfile.TemporaryDirectory() as name:
        for pair in range(options.pairs):
            for side in ("ours", "peer") if pair % 2 == 0 else ("peer", "ours"):
                file = Path(name) / "ours.h5"
                mine = side == "ours"
                found = ours(options, sizes, file) if mine else theirs(options, sizes)
                for size, time in found.items():
                    times[side][size].append(time)
    print(report(options.collective, sizes, times))


def report(collective: str, sizes: list[int], times: dict[str, dict[int, list[float]]]) -> str:
    """Return the ratio per size and over all sizes."""
    lines, medians = [], []
    for size in sizes:
        if size not in times["ours"] or size not in times["peer"]:
            lines.append(f"{collective} {format_bytes(size):>5}  one side has no figure")
            continue
        ratios = [a / b for a, b in zip(times["ours"][size], times["peer"][size], strict=True)]
        medians.append(median(ratios))
        lines.append(
            f"{collective} {format_bytes(size):>5}  ours {median(times['ours'][size]):10.2f} us  "
            f"nccl-tests {median(times['peer'][size]):10.2f} us  ratio {medians[-1]:.3f} "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        )
    lines.append(
        f"{collective}: median ratio {median(medians):.3f}, "
        f"smallest {min(medians):.3f}, largest {max(medians):.3f}"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
