"""``collcast validate``: forecast the largest scales of files from the smaller ones; compare."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..score import Score
    from ..validate import Held, Validation

__all__ = ["validate", "validation_values"]

_FURTHER = 4  # times the holdout: the second section of a page
_MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE", "SLURM_STEP_NUM_TASKS")


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--holdout", type=click.IntRange(2), default=8, show_default=True,
    help="Hide the scales above the largest over this.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all draws.")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes; or use mpirun."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "page"]), default="table",
    show_default=True, help="A page in Markdown also holds out 4 times as much, and the middle.",
)  # fmt: skip
@click.option(
    "--picture", type=click.Path(path_type=Path),
    help="Draw error against factor, every machine a dot: .png, .svg or .pdf.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing picture.")
def validate(
    files: tuple[Path, ...], holdout: int, seed: int, jobs: int, form: str, picture: Path | None,
    force: bool,
) -> None:  # fmt: skip
    """Hide the largest scales of FILEs, forecast them from the others, and say how well.

    FILEs are campaigns, or tables (.csv) with columns system, collective, backend, ranks, bytes and
    time_us.
    """
    from ..document import page
    from ..series import read_many
    from ..validate import validate as run
    from .extras import require
    from .output import print_json

    require("scipy")
    if picture is not None:
        from ..plot import SUFFIXES
        from .extras import check_output

        require("matplotlib")
        check_output(picture, SUFFIXES, force=force)
    with _mapper(jobs) as mapper:
        if mapper is None:  # a rank that works for another
            return
        rows = read_many(files)
        found = run(rows, holdout, seed, mapper)
        if picture is not None:
            from ..drawing.error import draw_errors
            from .picture import write_picture

            write_picture(picture, lambda: draw_errors([found]), force=True)
        if form == "page":
            others = [run(rows, other, seed, mapper) for other in (_FURTHER * holdout, 0)]
            click.echo(page([found, *others]), nl=False)
            return
    if form == "json":
        print_json(validation_values(found))
    else:
        _print(found)


@contextmanager
def _mapper(jobs: int) -> Iterator[Any]:
    """Give something like `map`: over MPI ranks, over processes, or plain; None to a worker."""
    if any(int(os.environ.get(name, "1") or 1) > 1 for name in _MPI_SIZES):
        from mpi4py.futures import MPICommExecutor

        with MPICommExecutor() as executor:
            yield None if executor is None else cast("Any", executor).map
    elif jobs > 1:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(jobs) as executor:
            yield executor.map
    else:
        yield map


def validation_values(found: Validation) -> dict[str, Any]:
    """Return a validation as values that JSON has."""
    from ..baseline import BASELINES

    names = dict.fromkeys(held.key.collective for held in found.held)
    return {
        "holdout": found.holdout,
        "cells": found.score().cells,
        "summary": _values(found.score()),
        "baselines": {name: _values(found.score(name)) for name in BASELINES},
        "collectives": {
            name: {
                "summary": _values(part.score()),
                "baselines": {other: _values(part.score(other)) for other in BASELINES},
            }
            for name, part in ((name, found.part(collective=name)) for name in names)
        },
        "series": [_series(held) for held in found.held],
        "statuses": found.statuses(),
        "skipped": found.skipped,
        "suspect_rows": found.suspect,
    }


def _series(held: Held) -> dict[str, Any]:
    key = {name: value for name, value in asdict(held.key).items() if value != ""}
    return {
        **key,
        "fitted_ranks": list(held.scales),
        "hidden_cells": len(held.true_s),
        "reason": held.reason,
        **_values(held.score()),
    }


def _values(figures: Score) -> dict[str, Any]:
    from .output import plain

    return {name: plain(value) for name, value in figures.values().items()}


def _print(found: Validation) -> None:
    from ..baseline import BASELINES
    from .output import print_table

    heading = (
        "forecast", "cells", "error", "its p90", "bias", "in 50 %", "in 90 %", "width", "Winkler",
    )  # fmt: skip
    lines = [_line("collcast", found.score())]
    lines += [_line(name, found.score(name)) for name in BASELINES]
    title = f"Scales above 1/{found.holdout} of the largest, forecast from the others; in %"
    print_table(title, heading, lines)
    names = [f"{held.cluster} {held.key.transport} {held.key.algorithm}" for held in found.held]
    by_series = [
        _line(name.strip(), held.score()) for name, held in zip(names, found.held, strict=True)
    ]
    if by_series:
        print_table("By series", heading, by_series)
    for held in found.held:
        if held.reason:
            click.echo(f"{held.key}: {held.reason}")
    low, high = found.score().coverage_90_low, found.score().coverage_90_high
    if not math.isnan(low):
        clusters = found.score().clusters
        click.echo(
            f"In 90 %: {clusters} clusters (machine and collective) are consistent with "
            f"{100 * low:.0f} to {100 * high:.0f} %."
        )
    statuses = ", ".join(f"{count} {name}" for name, count in found.statuses().items()) or "none"
    click.echo(f"Forecasts: {statuses}. Rows neither fitted nor scored: {found.doubt}.")
    for reason, count in found.skipped.items():
        click.echo(f"{count} series took no part: {reason}.")


def _line(name: str, figures: Score) -> list[str]:
    def percent(value: float) -> str:
        return "" if math.isnan(value) else f"{100 * value:.1f}"

    return [
        name,
        str(figures.cells),
        percent(figures.median_error),
        percent(figures.p90_error),
        percent(figures.bias),
        percent(figures.coverage_50),
        percent(figures.coverage_90),
        "" if math.isnan(figures.width_90) else f"x{figures.width_90:.2f}",
        "" if math.isnan(figures.winkler_90) else f"{figures.winkler_90:.2f}",
    ]
