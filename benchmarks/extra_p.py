"""Extra-P on the cells that `collcast validate` hides, beside collcast on the same cells.

    python benchmarks/extra_p.py PYTHON FILE.csv ... [--holdout 8 32]

PYTHON is an interpreter that has extrap (`pip install extrap`, 0.7 GB, best in an environment of
its own). Its basic single-parameter modeler gets what the baselines get: per size the times of the
known scales, those that lack the size read off between their sizes. It wants at least 5 points and
gives no interval; cells without a forecast of both are not compared. Prints Markdown: the figures
of the validation page, with what has no meaning left empty.

Source: Calotoiu, Hoefler, Poke and Wolf, SC13; https://github.com/extra-p/extrap.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np

from collcast.analysis.baseline import curve_at
from collcast.analysis.score import score
from collcast.analysis.series import read_many
from collcast.analysis.validate import ENGINE, Task, forecast, tasks_of

LEAST_POINTS = 5
WORKER = """
import json, sys
from extrap.entities.callpath import Callpath
from extrap.entities.coordinate import Coordinate
from extrap.entities.measurement import Measurement
from extrap.entities.metric import Metric
from extrap.modelers.single_parameter.basic import SingleParameterModeler

def points(scales, times):
    where = Callpath("f"), Metric("time")
    return [Measurement(Coordinate(p), *where, [t]) for p, t in zip(scales, times)]

jobs = json.load(sys.stdin)
models = SingleParameterModeler().model([points(*job[:2]) for job in jobs])
found = [model.hypothesis.function.evaluate(job[2]) for model, job in zip(models, jobs)]
print("\\n" + json.dumps([float(value) for value in found]))
"""
"""Runs in the other interpreter: jobs (scales, times, scale asked for) to times."""


def extra_p_s(python: str, tasks: list[Task]) -> list[np.ndarray]:
    """Return Extra-P's times in seconds, one array of shape (cell,) per task; NaN for none."""
    jobs, where = [], []
    found = [np.full(len(task.hidden), np.nan) for task in tasks]
    for number, task in enumerate(tasks):
        for cell, row in enumerate(task.hidden):
            scales, times = curve_at(task.known, (row.ranks, row.message_bytes))
            if len(scales) >= LEAST_POINTS:
                jobs.append((scales.tolist(), times.tolist(), float(row.ranks)))
                where.append((number, cell))
    done = subprocess.run(
        [python, "-c", WORKER], input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    for (number, cell), time in zip(where, json.loads(done.stdout.splitlines()[-1]), strict=True):
        found[number][cell] = time
    return found


def lines(python: str, tasks: list[Task]) -> list[list[str]]:
    """Return one line of figures per collective and method."""
    held = [forecast(task) for task in tasks]
    names = np.array([str(part.key) for part in held for _ in part.true_s])
    collectives = np.array([part.key.collective for part in held for _ in part.true_s])
    clusters = np.array([part.cluster for part in held for _ in part.true_s])
    true = np.concatenate([part.true_s for part in held])
    own = np.concatenate([part.times_s[ENGINE] for part in held])
    theirs = np.repeat(np.concatenate(extra_p_s(python, tasks))[:, None], 5, axis=1)
    both = np.isfinite(own).all(axis=1) & np.isfinite(theirs).all(axis=1)
    found = []
    for part in ("all", *dict.fromkeys(collectives.tolist())):
        used = both & ((collectives == part) | (part == "all"))
        for method, times in ((ENGINE, own), ("Extra-P", theirs)):
            figures = score(true[used], times[used], names[used].tolist(), clusters[used].tolist())
            errors = figures.median_error, figures.p90_error, figures.bias
            line = [part, method, str(figures.cells), *(f"{100 * value:.1f}" for value in errors)]
            rest = [""] * 4
            if method == ENGINE:
                shares = figures.coverage_50, figures.coverage_90
                rest = [f"{100 * value:.1f}" for value in shares]
                rest += [f"x{figures.width_90:.2f}", f"{figures.winkler_90:.2f}"]
            found.append([*line, *rest])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("python")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--holdout", nargs="+", type=int, default=[8, 32])
    asked = parser.parse_args()
    rows = read_many(asked.files)
    print("\n## Extra-P\n")
    print("Its own basic modeler, on the cells that both forecast; it gives no interval.\n")
    heading = "holdout", "collective", "forecast", "cells", "error", "p90", "bias"
    heading += "in 50 %", "in 90 %", "width", "Winkler"
    table = [heading, ["---"] * len(heading)]
    for holdout in asked.holdout:
        tasks, _ = tasks_of(rows, holdout)
        table += [[str(holdout), *line] for line in lines(asked.python, tasks)]
    print("\n".join("| " + " | ".join(line) + " |" for line in table))


if __name__ == "__main__":
    main()
