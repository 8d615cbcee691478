"""How often `collcast compare` is wrong, on launches whose truth is known.

    python benchmarks/compare_verdicts.py measure FILE [--launches 80] [--pause 3]
    python benchmarks/compare_verdicts.py judge FILE [--pairs 200]

`measure` starts a small sweep again and again, each time a launch of its own with a pause before,
and appends to FILE. `judge` draws pairs of sides from these launches, all of one machine and one
program: every FASTER or SLOWER is false. A pair is wrong if any of its cases is. Then it plants a
slow-down of 5 % into synthetic launches with a spread of 2 %.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from collcast.analysis.compare import Launches, Place, compare, launches_of
from collcast.bench.store import read_campaign

Draw = Callable[[random.Random], tuple[Launches, Launches, list[Launches]]]
"""Two sides and what is known besides."""


def measure(file: Path, launches: int, pause_s: float) -> None:
    for _ in range(launches):
        time.sleep(pause_s)
        subprocess.run(
            [Path(sys.executable).with_name("collcast"), "run", "all_reduce", "all_to_all",
             "--ranks", "2", "--sizes", "8,4K,256K", "--repetitions", "1000", "--append",
             "--quiet", "-o", file],
            check=True,
        )  # fmt: skip


def of(launches: Launches, numbers: list[int]) -> Launches:
    """Some of the launches, in every place."""
    return {place: [found[number] for number in numbers] for place, found in launches.items()}


def halves(launches: Launches, drift: float) -> tuple[Launches, Launches]:
    """The first and the second half of every launch; the time rises by `drift` from end to end."""
    sides: tuple[Launches, Launches] = {}, {}
    for place, found in launches.items():
        for samples in found:
            risen = samples * np.linspace(1, 1 + drift, len(samples))
            for side, half in zip(sides, np.array_split(risen, 2), strict=True):
                side.setdefault(place, []).append(half)
    return sides


def draws(launches: Launches, total: int) -> Iterator[tuple[str, Draw]]:
    def separate(size: int, known: int) -> Draw:
        def draw(generator: random.Random) -> tuple[Launches, Launches, list[Launches]]:
            numbers = generator.sample(range(total), 2 * size + known)
            rest = [of(launches, numbers[2 * size :])] if known else []
            return of(launches, numbers[:size]), of(launches, numbers[size : 2 * size]), rest

        return draw

    def one_place(size: int, known: int) -> Draw:
        whole = separate(size, known)

        def draw(generator: random.Random) -> tuple[Launches, Launches, list[Launches]]:
            place = generator.choice(list(launches))
            first, second, rest = whole(generator)
            return {place: first[place]}, {place: second[place]}, rest

        return draw

    def halved(size: int, known: int, drift: float) -> Draw:
        def draw(generator: random.Random) -> tuple[Launches, Launches, list[Launches]]:
            numbers = generator.sample(range(total), size + known)
            first, second = halves(of(launches, numbers[:size]), drift)
            return first, second, [of(launches, numbers[size:])] if known else []

        return draw

    for known in (0, 10, 39, total - 2):
        yield f"1 against 1, {known} known", separate(1, known)
        yield f"1 against 1, {known} known, one case", one_place(1, known)
    for size in (2, 3, 5, 10):
        yield f"{size} against {size}", separate(size, 0)
    for drift in (0.0, 0.1):
        for size, known in ((1, 0), (1, 39), (10, 0)):
            name = f"halves of {size}, {known} known, drift {100 * drift:.0f} %"
            yield name, halved(size, known, drift)


def planted(place: Place, size: int, factor: float, pairs: int) -> Counter[str]:
    generator = np.random.default_rng(0)

    def side(scale: float) -> Launches:
        medians = 1e-5 * scale * np.exp(0.02 * generator.standard_normal(size))
        return {place: [np.full(50, median) for median in medians]}

    return Counter(compare(side(1.0), side(factor))[0].verdict for _ in range(pairs))


def judge(file: Path, pairs: int) -> None:
    found = launches_of(read_campaign(file))
    total = min(len(launches) for launches in found.values())
    spread = {p: np.log([np.median(s) for s in launches]) for p, launches in found.items()}
    for place, logs in spread.items():
        print(
            f"{place.key.collective} {place.message_bytes} B: {total} launches, "
            f"sd of log time {logs.std(ddof=1):.3f}, range {np.ptp(logs):.2f}"
        )
    for name, draw in draws(found, total):
        generator, counts = random.Random(0), Counter[str]()
        for _ in range(pairs):
            first, second, known = draw(generator)
            verdicts = {one.verdict for one in compare(first, second, known=known)}
            worst = verdicts & {"FASTER", "SLOWER"}
            counts["false" if worst else "same" if verdicts == {"SAME"} else "ambiguous"] += 1
        share = 100 * counts["false"] / pairs
        print(f"{name:<40} {share:5.1f} % FASTER or SLOWER of {pairs} pairs; {dict(counts)}")
    place = next(iter(found))
    for size, factor in ((10, 1.05), (10, 1.0), (5, 1.05)):
        counts = planted(place, size, factor, pairs)
        print(f"planted x{factor}, {size} against {size}, spread 2 %: {dict(counts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["measure", "judge"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--launches", type=int, default=80)
    parser.add_argument("--pause", type=float, default=3.0)
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    if options.task == "measure":
        measure(options.file, options.launches, options.pause)
    else:
        judge(options.file, options.pairs)


if __name__ == "__main__":
    main()
