"""Time of one series through the engine, and the engine's size.

    python benchmarks/engine_speed.py [--collective all_reduce] [--repeat 3]

A made series of 30 sizes and 10 scales in hosts of 8 (all models of the collective are compared),
fitted with 200 bootstraps and forecast at 8 times the largest scale; in seconds of the processor,
one core with OMP_NUM_THREADS=1. Lines: of the modules below, all of them, and without blank ones,
comments and docstrings.
"""

from __future__ import annotations

import argparse
import ast
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from collcast.analysis.dataset import Dataset, Row, SeriesKey
from collcast.analysis.design import design_of
from collcast.analysis.extrapolate import Extrapolator
from collcast.analysis.fit import fit
from collcast.analysis.models import models_of

ENGINE = (
    "cells", "conditional", "curve", "drift", "ensemble", "extrapolate", "fit", "member", "outcome",
    "process", "select", "solve",
)  # fmt: skip
SCALES = tuple(2 << k for k in range(10))
SIZES = tuple(8 << k for k in range(30))
PER_HOST = 8
COSTS = (3e-6, 1e-6, 5e-6, 2e-11, 1e-10, 0.0)


def made(collective: str) -> tuple[SeriesKey, Dataset]:
    """Return a series that is the fastest of all models, with 3 % of noise."""
    names = dict.fromkeys(("algorithm", "protocol", "sync", "dtype", "placement", "memory"), "")
    key = SeriesKey(collective=collective, transport="made", **names)
    generator = np.random.default_rng(1)
    tiers = (PER_HOST, 1 << 62)
    rows = []
    for ranks in SCALES:
        columns = design_of(models_of(collective, 2), np.full(30, ranks), np.array(SIZES), tiers)
        times = (columns @ COSTS).min(axis=0) * np.exp(0.03 * generator.standard_normal(30))
        for n, median_s in zip(SIZES, times.tolist(), strict=True):
            rows.append(
                Row(
                    key=key, ranks=ranks, message_bytes=n, repetitions=100, launches=1,
                    median_s=median_s, low_s=np.nan, high_s=np.nan, hosts=-(-ranks // PER_HOST),
                )
            )  # fmt: skip
    return key, Dataset(tuple(rows))


def code_lines(source: str) -> int:
    """Count lines that are neither blank nor comment nor docstring."""
    told = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(line.split("#")[0].strip()) and at not in told for at, line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--collective", default="all_reduce")
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    key, rows = made(asked.collective)
    for _ in range(asked.repeat):
        begin = time.process_time()
        fitted = fit(key, rows)
        between = time.process_time()
        Extrapolator(fit=fitted).predict([8 * SCALES[-1]], SIZES)
        end = time.process_time()
        print(f"fit {between - begin:.2f} s, forecast {end - between:.2f} s: {end - begin:.2f} s")
    spec = find_spec("collcast.analysis")
    sources = [
        (Path(str(spec and spec.origin)).parent / f"{name}.py").read_text(encoding="utf-8")
        for name in ENGINE
    ]
    whole = sum(len(source.splitlines()) for source in sources)
    print(f"{len(ENGINE)} modules: {whole} lines, {sum(map(code_lines, sources))} of code")


if __name__ == "__main__":
    main()
