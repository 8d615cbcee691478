"""``collcast extrapolate``: times at other ranks and sizes, with intervals and their kind."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import form_option, ranks_option, seed_option, sizes_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...bench.sample import Campaign
    from ..fabrics import Fabric
    from ..fit import Fit
    from ..prediction import Prediction

__all__ = ["extrapolate"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@ranks_option
@sizes_option
@click.option(
    "--fabric", "fabric_name", help="Fabric for tiers not measured: a name or a .toml file."
)
@click.option(
    "--algorithm", default="", help="Forecast this algorithm on the fabric, not the fastest."
)
@click.option(
    "--layout",
    type=click.Choice(["contiguous", "random", "measured"]),
    help="How ranks lie on the fabric; measured: as in FILE. Contiguous unless said.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="TIER.FIELD=VALUE",
    help="What if: a figure of the fabric, such as core.oversubscription=4; may be repeated.",
)
@click.option(
    "--prior", type=click.Choice(["none", "nccl", "fabric"]), default="none", show_default=True,
    help="What to believe where measurements are silent: NCCL's constants, or those of --fabric.",
)  # fmt: skip
@form_option("csv", "json")
@seed_option
def extrapolate(
    file: Path,
    ranks: str,
    sizes: str | None,
    fabric_name: str | None,
    algorithm: str,
    layout: str | None,
    settings: tuple[str, ...],
    prior: str,
    form: str,
    seed: int,
) -> None:
    """Predict times at RANKS ranks from the measurements of FILE.

    Each prediction says whether it is measured, extrapolated, conditional on a fabric, or
    unsupported; the first interval of a conditional one holds what is not known about the fabric,
    the other takes the fabric as declared. --algorithm, --layout and --set ask about the fabric.
    """
    from ...bench.case import BYTES_PER_ELEMENT
    from ...bench.units import parse_sizes
    from ..extrapolate import Extrapolator
    from ..prediction import notes, statement
    from .extras import fit_all, parse_ranks, read_measured, require

    require("scipy")
    counts = parse_ranks(ranks)
    wanted = parse_sizes(sizes) if sizes else None
    fabric = _fabric(fabric_name, settings, asked=bool(algorithm) or layout is not None)
    campaign = read_measured(file)
    scatter = _scatter(layout, campaign)
    predictions: list[Prediction] = []
    lines: list[str] = []
    for fitted in _having(algorithm, fit_all(campaign, seed, prior=prior, fabric=fabric)):
        key = fitted.key
        measured = sorted({row.message_bytes for row in fitted.rows})
        extrapolator = Extrapolator(
            fit=fitted, fabric=fabric, seed=seed, algorithm=algorithm, scatter=scatter
        )
        found = extrapolator.predict(counts, wanted or measured)
        predictions += found
        lines += notes(found, BYTES_PER_ELEMENT.get(key.dtype, 1))
        lines += [f"caution: {line}" for line in fitted.cautions]
        if not fitted.curve and any(p.status == "unsupported" for p in found):
            lines.append(f"{key}: {fitted.reason}")
    supposed = {"algorithm": algorithm, "layout": layout or "", "set": " ".join(settings)}
    asked = ", ".join(f"{name} {value}" for name, value in supposed.items() if value)
    if asked:
        lines.insert(0, f"what if: {asked}")
    _print(form, statement(predictions, fabric), lines, predictions)


def _fabric(name: str | None, settings: Sequence[str], *, asked: bool) -> Fabric | None:
    from ...bench.errors import CaseError
    from ..fabrics import load_fabric
    from ..fabrics.what_if import what_if

    if name:
        return what_if(load_fabric(name), settings)
    if settings or asked:
        raise CaseError(
            "--algorithm, --layout, --set: found no --fabric, expected the one they ask about"
        )
    return None


def _scatter(layout: str | None, campaign: Campaign) -> float | None:
    from ..layout import LAYOUTS, scatter_of

    if layout is None:
        return None
    return scatter_of(campaign) if layout == "measured" else LAYOUTS[layout]


def _having(algorithm: str, fits: Sequence[Fit]) -> list[Fit]:
    """Return the series whose collective has an algorithm of this name; refuse if none has."""
    from ..models import MODELS, model_named

    if not algorithm or not fits:
        return list(fits)
    known = {model.collective for model in MODELS if model.name == algorithm}
    found = [fit for fit in fits if fit.key.collective in known]
    if not found:
        model_named(fits[0].key.collective, algorithm)  # refuses, naming those that there are
    return found


def _print(form: str, first: str, lines: Sequence[str], predictions: Sequence[Prediction]) -> None:
    from ..prediction import COLUMNS
    from .output import plain, print_csv, print_json

    if form == "table":
        click.echo(first)
        _print_tables(predictions)
        for line in lines:
            click.echo(line)
        return
    values: list[dict[str, Any]] = [
        {name: plain(value) for name, value in asdict(p).items()} for p in predictions
    ]
    if form == "json":
        print_json({"statement": first, "notes": list(lines), "predictions": values})
        return
    # Standard output holds nothing but CSV; the statement must not be lost for it.
    for line in (first, *lines):
        click.echo(line, err=True)
    print_csv(COLUMNS, values)


def _print_tables(predictions: Sequence[Prediction]) -> None:
    from ...bench.units import format_bytes
    from .output import print_table

    groups: dict[str, list[list[str]]] = {}
    for p in predictions:
        title = f"{p.collective} {p.transport} {p.algorithm} {p.protocol} {p.sync} {p.dtype}"
        groups.setdefault(f"{title} {p.placement} {p.memory}", []).append(
            [
                f"{p.ranks:,}",
                format_bytes(p.message_bytes),
                _time(p.time_us),
                _span(p.low50_us, p.high50_us),
                _span(p.low90_us, p.high90_us),
                p.status,
                ", ".join(p.assumed_tiers),
            ]
        )
    interval = ("time", "50 % interval", "90 % interval")
    heading = ("ranks", "bytes", *interval, "status", "assumed tiers")
    for title, lines in groups.items():
        print_table(title, heading, lines)
    declared = [
        [
            p.collective,
            f"{p.ranks:,}",
            format_bytes(p.message_bytes),
            _time(p.given_time_us),
            _span(p.given_low50_us, p.given_high50_us),
            _span(p.given_low90_us, p.given_high90_us),
        ]
        for p in predictions
        if p.given_time_us is not None
    ]
    if declared:
        title = "The same if every figure of the fabric is as declared"
        print_table(title, ("collective", "ranks", "bytes", *interval), declared)
    _print_shares(predictions)


def _print_shares(predictions: Sequence[Prediction]) -> None:
    """Say what the intervals consist of, and which algorithm is fastest."""
    from ...bench.units import format_bytes
    from ..outcome import SOURCES
    from .output import print_table

    def share(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.0f} %"

    lines = [
        [
            p.collective,
            f"{p.ranks:,}",
            format_bytes(p.message_bytes),
            *(share(getattr(p, f"share_{source}")) for source in SOURCES),
            p.fastest,
            share(p.switch_probability),
            f"{_time(p.bound_us)} {p.bound}",
        ]
        for p in predictions
        if p.bound_us is not None
    ]
    heading = ("collective", "ranks", "bytes", *SOURCES, "fastest", "switch", "bound")
    if lines:
        title = "Shares of the variance of log time; the library's switch; the physical bound"
        print_table(title, heading, lines)


def _time(value_us: float | None) -> str:
    from ...bench.units import format_seconds

    return "" if value_us is None else format_seconds(value_us * 1e-6)


def _span(low_us: float | None, high_us: float | None) -> str:
    return "" if low_us is None else f"{_time(low_us)} to {_time(high_us)}"
