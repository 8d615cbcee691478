"""``collcast compare``: tell whether one campaign is slower than another."""

from __future__ import annotations

from collections import Counter
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import form_option, statistic_option

if TYPE_CHECKING:
    from ..compare import Comparison, Launches

__all__ = ["COLUMNS", "compare"]

PATH = click.Path(path_type=Path)
COLUMNS = (
    "collective", "transport", "algorithm", "protocol", "sync", "statistic", "dtype", "placement",
    "memory", "system", "ranks", "message_bytes", "launches_a", "launches_b", "median_a_us",
    "median_b_us", "ratio", "low", "high", "p", "verdict", "load",
)  # fmt: skip
"""Columns of ``compare --format csv``: stable."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="[A] B", type=PATH)
@click.option("--baseline", type=PATH, help="Take the place of A, or tell the spread of launches.")
@click.option(
    "--effect",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.03,
    show_default=True,
    help="Least relative change that matters.",
)
@form_option("csv", "json")
@statistic_option
@click.pass_context
def compare(
    ctx: click.Context,
    files: tuple[Path, ...],
    baseline: Path | None,
    effect: float,
    form: str,
    statistic: str | None,
) -> None:
    """Compare campaign B with A, or with --baseline, case by case.

    Exit status: 0 if all cases are the same or faster, 1 if any is slower, 4 if none is but some
    are ambiguous, 2 for mistakes.
    """
    from .. import compare as comparing
    from .extras import read_measured, require

    require("scipy")
    paths = [*([baseline] if baseline is not None and len(files) == 1 else []), *files]
    if len(paths) != 2:
        raise click.UsageError(
            f"found {len(files)} files, expected A and B, or B and --baseline FILE"
        )
    first, second = (comparing.launches_of(read_measured(path), statistic) for path in paths)
    known: tuple[Launches, ...] = ()
    if baseline is not None and len(files) == 2:
        known = (comparing.launches_of(read_measured(baseline), statistic),)
    found = comparing.compare(first, second, least_effect=effect, known=known)
    _expect_shared(found, paths)
    found.sort(key=lambda one: (str(one.place.key), one.place.ranks, one.place.message_bytes))
    _print(found, form, _missing(first, second), effect)
    verdicts = {one.verdict for one in found}
    ctx.exit(1 if "SLOWER" in verdicts else 4 if "AMBIGUOUS" in verdicts else 0)


def _expect_shared(found: list[Comparison], paths: list[Path]) -> None:
    from ...bench.errors import CaseError

    if not found:
        raise CaseError(
            f"{paths[0]}, {paths[1]}: found no case that both have and that can be trusted, "
            "expected at least 1"
        )


def _missing(first: Launches, second: Launches) -> str:
    """Say which cases could not be compared; "" if none."""
    counts = {"A": len(first.keys() - second.keys()), "B": len(second.keys() - first.keys())}
    parts = [f"{count} only in {side}" for side, count in counts.items() if count]
    return f"not compared: {', '.join(parts)}" if parts else ""


def _values(one: Comparison) -> dict[str, Any]:
    from .output import plain

    values = {name: getattr(one.place.key, name) for name in (*COLUMNS[:10], "load")} | {
        "algorithm": one.place.key.choice,
        "ranks": one.place.ranks,
        "message_bytes": one.place.message_bytes,
        "median_a_us": one.median_a_s * 1e6,
        "median_b_us": one.median_b_s * 1e6,
    }
    for name in ("launches_a", "launches_b", "ratio", "low", "high", "p", "verdict"):
        values[name] = getattr(one, name)
    return {name: plain(values[name]) for name in COLUMNS}


def _print(found: list[Comparison], form: str, missing: str, effect: float) -> None:
    from ..compare import LEVEL
    from .output import print_csv, print_json

    values = [_values(one) for one in found]
    counts = Counter(one.verdict for one in found)
    if form == "json":
        print_json({"least_effect": effect, "verdicts": dict(counts), "cases": values})
    elif form == "csv":
        print_csv(COLUMNS, values)
    else:
        _print_tables(found)
        click.echo(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
        if any(one.least_p > LEVEL for one in found):
            click.echo(
                "With so few launches chance alone explains any difference. 5 a side tell; so do "
                "33 of one side for a single launch of the other."
            )
    if missing:
        click.echo(missing, err=form != "table")


def _print_tables(found: list[Comparison]) -> None:
    from ...bench.units import format_bytes
    from .output import print_table

    heading = ("ranks", "bytes", "A us", "B us", "B/A", "low", "high", "launches", "verdict")
    series: dict[str, list[list[str]]] = {}
    for one in found:
        ends = ("" if isnan(end) else f"{end:.3f}" for end in (one.low, one.high))
        title = " ".join(f"{one.place.key} ({one.place.key.statistic})".split())
        series.setdefault(title, []).append(
            [
                str(one.place.ranks),
                format_bytes(one.place.message_bytes),
                f"{one.median_a_s * 1e6:#.4g}",
                f"{one.median_b_s * 1e6:#.4g}",
                f"{one.ratio:.3f}",
                *ends,
                f"{one.launches_a}+{one.launches_b}",
                one.verdict,
            ]
        )
    for title, lines in series.items():
        print_table(title, heading, lines)
