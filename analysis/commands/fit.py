"""``collcast fit``: parameters of the cost models of every series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..fit import Fit

__all__ = ["fit", "fit_values"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def fit(file: Path, form: str) -> None:
    """Fit cost models to the measurements of FILE, jointly over sizes and scales.

    Copies, oversubscribed, suspect and wrong measurements are left out and counted.
    """
    from .extras import fit_all, read_measured, require
    from .output import print_json

    require("scipy")
    fits = fit_all(read_measured(file))
    if form == "json":
        print_json({"fits": [fit_values(found) for found in fits]})
        return
    for found in fits:
        _print(found)


def fit_values(found: Fit) -> dict[str, Any]:
    """Return a fit as values that JSON has."""
    from ..remedy import remedies_of
    from .output import plain

    key, curve = found.key, found.curve
    names = ("collective", "transport", "algorithm", "protocol", "sync", "statistic", "dtype")
    return {
        **{name: getattr(key, name) for name in (*names, "placement", "memory")},
        "algorithm": key.choice,
        "model": curve.model if curve else None,
        "reason": found.reason,
        "scales": list(found.scales),
        "cells": found.cells,
        "dropped": found.dropped,
        "cautions": list(found.cautions),
        "residual_sd": plain(curve.residual_sd) if curve else None,
        "unidentified": list(curve.unidentified) if curve else [],
        "remedies": {remedy.parameter: remedy.measure for remedy in remedies_of(found)},
        "parameters": [
            {
                "name": parameter.name,
                "unit": parameter.unit,
                "value": plain(parameter.value),
                "low90": plain(parameter.low),
                "high90": plain(parameter.high),
                "at_bound": parameter.at_bound,
            }
            for parameter in (curve.parameters if curve else ())
        ],
    }


def _print(found: Fit) -> None:
    from ..remedy import remedies_of
    from .output import print_table

    dropped = ", ".join(f"{count} {reason}" for reason, count in found.dropped.items())
    curve = found.curve
    lines = [
        [
            parameter.name,
            f"{parameter.value:.4g}",
            f"{parameter.low:.4g}",
            f"{parameter.high:.4g}",
            parameter.unit,
            "at its bound: no trace of it in these cells" if parameter.at_bound else "",
        ]
        for parameter in (curve.parameters if curve else ())
    ]
    unknown = "not told apart from those above by these cells"
    lines += [[name, "", "", "", "", unknown] for name in (curve.unidentified if curve else ())]
    scales = ", ".join(map(str, found.scales)) or "none"
    if lines:
        heading = ("parameter", "value", "low 90 %", "high 90 %", "unit", "notes")
        print_table(str(found.key), heading, lines)
    else:
        click.echo(str(found.key))
    click.echo(f"  {curve.model}: {curve.formula}" if curve else f"  {found.reason}")
    click.echo(f"  {found.cells} cells, ranks {scales}; left out: {dropped or 'none'}")
    if curve:
        click.echo(f"  residual spread {100 * curve.residual_sd:.1f} %")
    for remedy in remedies_of(found):
        click.echo(f"  to identify {remedy.parameter}, measure {remedy.measure}")
    for line in found.cautions:
        click.echo(f"  caution: {line}")
    click.echo()
