"""``collcast scenario``: what follows for a planned site, claim by claim."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..scenario import Scenario
    from ..scenario.machine import Machine

__all__ = ["scenario"]


@click.command()
@click.argument("name")
@click.option("--supply", "supplies", multiple=True, help="As 150MW or 1.4GW; may be repeated.")
@click.option("--gpus", help="Sizes of the job; 200000,550000,1000000 by default.")
@click.option("--campaign", type=click.Path(path_type=Path), help="Measurements of this machine.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Picture of the steps.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "md"]), default="table",
    show_default=True,
)  # fmt: skip
def scenario(
    name: str, supplies: tuple[str, ...], gpus: str | None, campaign: Path | None, seed: int,
    output: Path | None, force: bool, form: str,
) -> None:  # fmt: skip
    """Answer for the site of fabric NAME: claims, power, size, failures, training steps."""
    from ..fabrics import load_fabric
    from ..power import parse_watts
    from ..scenario import examine
    from .extras import parse_ranks, require
    from .output import print_json
    from .picture import write_picture

    require("scipy")
    fabric = load_fabric(name)
    watts = {text: parse_watts(text) for text in supplies}
    found = examine(fabric, parse_ranks(gpus, "--gpus") if gpus else (), watts, seed=seed)
    machine = _machine(campaign, fabric, seed) if campaign else None
    if output is not None:
        from ..drawing.step import draw_steps

        write_picture(output, lambda: draw_steps(found), force=force)
    if form == "json":
        values: dict[str, Any] = asdict(found)
        print_json(values | ({"machine": asdict(machine)} if machine else {}))
        return
    _print(form, found)
    if machine:
        _print_machine(form, machine, found)


def _machine(campaign: Path, fabric: Any, seed: int) -> Machine:
    from ..scenario.machine import read_machine
    from .extras import fit_all, read_measured, require

    require("scipy")
    return read_machine(fit_all(read_measured(campaign), seed), fabric, seed)


def _print(form: str, found: Scenario) -> None:
    from .blocks import percent, print_block, quantity, spread_text

    click.echo(f"{found.statement}\n")
    _print_claims(form, found)
    print_block(form, "Training step (median and 90 % interval)", (
        "model", "GPUs", "step s", "exposed communication", "MFU", "batch tokens", "energy",
    ), [
        [row.workload, f"{row.gpus:,}", spread_text(row.step_s), spread_text(row.exposed, True),
         percent(row.mfu[0]), quantity(row.tokens, ""), quantity(row.energy_j, "J")]
        for row in found.steps
    ])  # fmt: skip
    print_block(form, "Goodput of one job at the low / central / high rate of failures", (
        "GPUs", "policy", "minutes between failures", "goodput",
    ), [
        [f"{g.endpoints:,}", g.policy, " / ".join(f"{t / 60:.1f}" for t in g.mtbf_s),
         " / ".join(percent(share) for share in g.share)] for g in found.goodputs
    ])  # fmt: skip
    print_block(form, "Seconds of a step by dimension (median)",
        ("model", "GPUs", *(found.steps[0].parts_s if found.steps else ())),
        [[row.workload, f"{row.gpus:,}", *(f"{v:.3g}" for v in row.parts_s.values())]
         for row in found.steps])  # fmt: skip
    print_block(form, "GPUs that a supply runs", ("supply", "power", "case", "per GPU", "GPUs"), [
        [s.supply, quantity(s.supply_w, "W"), s.case, f"{s.per_gpu_w / 1e3:.2f} kW", f"{s.gpus:,}"]
        for s in found.supplies
    ])  # fmt: skip
    print_block(form, "Network", ("GPUs", "switches", "links between", "power", "cost"), [
        [f"{s.endpoints:,}", f"{s.switches:,}", f"{s.links:,}", quantity(s.power_w.value, "W"),
         f"{s.cost_usd.value / 1e9:.2f} bn USD"] for s in found.sizes
    ])  # fmt: skip
    print_block(form, "All-reduce of 1 MiB over all GPUs: every assumed tier widens the interval",
        ("tiers let vary up to", "low", "high", "high / low"),
        [[w.tier, f"{w.low_s * 1e6:.0f} us", f"{w.high_s * 1e6:.0f} us", f"{w.ratio:.2f}"]
         for w in found.widening])  # fmt: skip
    print_block(form, "Diagnostics: one flat collective over all GPUs", (
        "collective", "realisable", "notes"), [
        [d.collective, "yes" if d.realisable else "NOT REALISABLE", d.arithmetic]
        for d in found.diagnostics
    ])  # fmt: skip


def _print_claims(form: str, found: Scenario) -> None:
    if not found.claims:
        return
    from .blocks import print_block

    if form == "md":
        print_block(form, "Claims", ("claim", "verdict", "what follows", "arithmetic", "sources"), [
            [c.claim, c.verdict, c.follows, c.arithmetic, c.sources] for c in found.claims
        ])  # fmt: skip
        return
    click.echo("Claims")
    for c in found.claims:
        click.echo(f"  {c.verdict.upper():<14} {c.claim}")
        click.echo(f"  {'':<14} {c.follows}\n  {'':<14} {c.arithmetic}\n  {'':<14} [{c.sources}]\n")


def _print_machine(form: str, machine: Machine, found: Scenario) -> None:
    from .blocks import print_block

    print_block(form, "MEASURED on this machine", ("collective", "transport", "cells", "ranks"), [
        [m.collective, m.transport, str(m.cells), ", ".join(map(str, m.ranks))]
        for m in machine.measured
    ])  # fmt: skip
    print_block(form, "FITTED to this machine (90 % interval); not used for the site's network",
        ("series", "parameter", "value", "low", "high", "unit"),
        [[f.series, f.name, f"{f.value:.4g}", f"{f.low:.4g}", f"{f.high:.4g}", f.unit]
         for f in machine.fitted])  # fmt: skip
    print_block(form, "Forecast from measured to assumed",
        ("collective", "bytes", "ranks", "status", "time us", "90 % interval us", "assumed tiers"),
        [[p.collective, str(p.message_bytes), f"{p.ranks:,}", p.status, _us(p.time_us),
          f"{_us(p.low90_us)} to {_us(p.high90_us)}", ", ".join(p.assumed_tiers)]
         for p in machine.forecast])  # fmt: skip
    click.echo(
        f"ASSUMED, or resting on an assumption: {len(found.assumed)} of {found.figures} figures of "
        f"{found.fabric}: {', '.join(found.assumed)}"
    )


def _us(value_us: float | None) -> str:
    return "" if value_us is None else f"{value_us:.4g}"
