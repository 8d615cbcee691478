"""``collcast fit``: parameters of the cost models of every series."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..curve import Curve, Parameter
    from ..fit import Fit

__all__ = ["fit", "fit_values"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option(
    "--prior", type=click.Choice(["none", "nccl", "fabric"]), default="none", show_default=True,
    help="What to believe where measurements are silent: NCCL's constants, or those of --fabric.",
)  # fmt: skip
@click.option("--fabric", "fabric_name", help="Fabric to believe: a name or a .toml file.")
def fit(file: Path, form: str, prior: str, fabric_name: str | None) -> None:
    """Fit cost models to the measurements of FILE, jointly over sizes and scales.

    Copies, oversubscribed, suspect and wrong measurements are left out and counted. A parameter
    that the others cannot tell apart is named, with what to measure for it; a --prior weighs as one
    measurement more, and gives it a value.
    """
    from ...bench.errors import CaseError
    from ..fabrics import load_fabric
    from .extras import fit_all, read_measured, require
    from .output import print_json

    require("scipy")
    if fabric_name and prior != "fabric":
        raise CaseError(f"--fabric: found --prior {prior}, expected --prior fabric")
    fabric = load_fabric(fabric_name) if fabric_name else None
    fits = fit_all(read_measured(file), prior=prior, fabric=fabric)
    if form == "json":
        print_json({"fits": [fit_values(found) for found in fits]})
        return
    for found in fits:
        _print(found)


def fit_values(found: Fit) -> dict[str, Any]:
    """Return a fit as values that JSON has."""
    from dataclasses import asdict

    from ..jump import jumps_of
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
        "jumps": [{name: plain(v) for name, v in asdict(jump).items()} for jump in jumps_of(found)],
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


def _note(parameter: Parameter, curve: Curve | None) -> str:
    if curve is not None and parameter.name in curve.unidentified:
        return "with the prior only: these cells do not tell it apart"
    return "at its bound: no trace of it in these cells" if parameter.at_bound else ""


def _print(found: Fit) -> None:
    from ...bench.units import format_bytes
    from ..jump import jumps_of
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
            _note(parameter, curve),
        ]
        for parameter in (curve.parameters if curve else ())
    ]
    valued = {parameter.name for parameter in (curve.parameters if curve else ())}
    unknown = "not told apart from those above by these cells"
    lines += [
        [name, "", "", "", "", unknown]
        for name in (curve.unidentified if curve else ())
        if name not in valued
    ]
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
    for jump in jumps_of(found):
        below, above = format_bytes(jump.below_bytes), format_bytes(jump.above_bytes)
        click.echo(
            f"  jump x{jump.ratio:.2f} between messages of {below} and {above}, at {jump.scales} "
            f"of {jump.of} numbers of ranks: another protocol?"
        )
    for remedy in remedies_of(found):
        click.echo(f"  to identify {remedy.parameter}, measure {remedy.measure}")
    for line in found.cautions:
        click.echo(f"  caution: {line}")
    click.echo()
