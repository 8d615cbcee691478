"""``collcast fabric``: list, show, check, build and export fabrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..fabrics import Fabric

__all__ = ["fabric"]


@click.group()
def fabric() -> None:
    """Fabrics: networks as figures with sources."""


@fabric.command("list")
def list_() -> None:
    """List the fabrics that come with collcast."""
    from ..fabrics import built_in_fabrics, load_fabric
    from ..fabrics.check import rests_on_assumption
    from .output import print_table

    rows = []
    for name in built_in_fabrics():
        found = load_fabric(name)
        figures = found.figures()
        assumed = sum(rests_on_assumption(key, figures) for key in figures)
        tiers = " < ".join(f"{tier.name} {tier.size.value:,.0f}" for tier in found.tiers)
        rows.append([name, f"{found.endpoints.value:,.0f}", tiers, f"{assumed} of {len(figures)}"])
    print_table("Fabrics", ("name", "endpoints", "tiers", "figures assumed"), rows)


@fabric.command()
@click.argument("name")
@click.option("--sources", is_flag=True, help="Every figure with source, status and date.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Picture of the tiers.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def show(name: str, sources: bool, output: Path | None, force: bool) -> None:
    """Show the tiers of fabric NAME (or a .toml file), their switches, links and power."""
    from ..fabrics import load_fabric
    from .picture import write_picture

    found = load_fabric(name)
    if output is not None:
        write_picture(output, lambda: _draw(found), force=force)
    click.echo(f"{found.title}\n{found.description.strip()}\n")
    _print_tiers(found)
    if found.network is not None:
        _print_size(found)
    if sources:
        _print_sources(found)


def _draw(found: Fabric) -> object:
    from ..drawing.tiers import draw_tiers

    return draw_tiers(found)


def _print_tiers(found: Fabric) -> None:
    from ...bench.units import format_seconds
    from .output import print_table

    heading = ("tier", "endpoints", "GB/s", "latency", "cable m", "taper", "exchange", "all-to-all",
               "routing")  # fmt: skip
    rows = [
        [
            tier.name,
            f"{tier.size.value:,.0f}",
            f"{tier.rate.value / 1e9:g}",
            format_seconds(tier.latency.value),
            f"{tier.cable.value:g}",
            f"{tier.oversubscription.value:g}:1",
            f"{tier.efficiency['exchange'].value:.2f}",
            f"{tier.efficiency['all_to_all'].value:.2f}",
            tier.routing.value
            + (f" {tier.routing.queue_pairs} qp" if tier.routing.value == "hash" else ""),
        ]
        for tier in found.tiers
    ]
    print_table("Tiers, innermost first", heading, rows)


def _print_size(found: Fabric) -> None:
    from ..size import measure_size
    from .blocks import quantity
    from .output import print_table

    size = measure_size(found)
    rows = [
        [
            tier.name,
            f"{tier.domains:,}",
            f"{tier.switches:,}",
            f"{tier.links:,}",
            f"{tier.optical_ends:,}",
            quantity(tier.switch_power_w.value, "W"),
            quantity(tier.optic_power_w.value, "W"),
        ]
        for tier in size.tiers
    ]
    heading = ("tier", "domains", "switches", "links below", "optical ends", "switches", "optics")
    print_table("Size and power", heading, rows)
    power, cost = size.power_w, size.cost_usd
    click.echo(
        f"{size.switches:,} switches, {size.links:,} links between them; network power "
        f"{quantity(power.value, 'W')} ({quantity(power.low, 'W')} to "
        f"{quantity(power.high, 'W')}), "
        f"{power.value / size.endpoints:.0f} W per endpoint; switches and optics "
        f"{cost.value / size.endpoints:,.0f} USD per endpoint "
        f"({cost.low / size.endpoints:,.0f} to {cost.high / size.endpoints:,.0f})"
    )


def _print_sources(found: Fabric) -> None:
    from .output import print_table

    rows = []
    for name, figure in found.figures().items():
        ends = "" if figure.low is None else f"{figure.low:g} to {figure.high:g}"
        origin = f" = {figure.formula}" if figure.formula else ""
        rows.append(
            [name, f"{figure.value:g}", ends, figure.unit, figure.status, figure.date,
             figure.source + origin]
        )  # fmt: skip
    heading = ("figure", "value", "90 % range", "unit", "status", "date", "notes")
    print_table("Figures", heading, rows)


@fabric.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check the fabric FILE: units, origins, formulas, ports."""
    from ..fabrics import load_fabric

    found = load_fabric(file)
    click.echo(f"{found.name}: {len(found.figures())} figures follow, {len(found.tiers)} tiers fit")


@fabric.command()
@click.argument("name")
@click.option("--endpoints", type=int, default=0, help="GPUs.")
@click.option("--nic", "nic_gbit", type=float, default=400.0, show_default=True, help="Gbit/s.")
@click.option("--ports", type=int, default=128, show_default=True, help="Of a switch.")
@click.option("--port", "port_gbit", type=float, default=400.0, show_default=True, help="Gbit/s.")
@click.option("--planes-per-nic", type=int, default=1, show_default=True)
@click.option("--rail-planes", type=int, default=1, show_default=True)
@click.option("--rails", type=int, default=1, show_default=True)
@click.option("--domain", type=int, default=8, show_default=True, help="GPUs joined by NVLink.")
@click.option("--tiers", type=int, default=0, help="Of switches; the fewest that fit by default.")
@click.option("--taper", type=float, default=1.0, show_default=True, help="Of the outermost tier.")
@click.option("--campaign", type=click.Path(path_type=Path), help="Fit this machine instead.")
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    help="With --campaign: messages between two --domain; gives a tier beyond it.",
)
@click.option(
    "--nccl-topology",
    "topology",
    type=click.Path(path_type=Path),
    help="NCCL's XML of one node, for --domain and --nic.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="NAME.toml by default.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def new(
    name: str, endpoints: int, nic_gbit: float, ports: int, port_gbit: float, planes_per_nic: int,
    rail_planes: int, rails: int, domain: int, tiers: int, taper: float, campaign: Path | None,
    pairs: Path | None, topology: Path | None,
    output: Path | None, force: bool,
) -> None:  # fmt: skip
    """Build fabric NAME from radix, rates and size, or from a campaign of this machine."""
    from ..fabrics.build import Plan, build
    from ..fabrics.write import to_toml
    from .extras import check_output, write_output

    path = output or Path(f"{name}.toml")
    check_output(path, (".toml",), force=force)
    if topology is not None:
        domain, nic_gbit = _node(topology, nic_gbit)
    if pairs is not None:
        found = _crossing(name, campaign, pairs, domain, endpoints)
    elif campaign is not None:
        found = _measured(name, campaign)
    else:
        found = build(
            Plan(
                name=name, endpoints=endpoints, nic_bits_per_s=nic_gbit * 1e9, ports=ports,
                port_bits_per_s=port_gbit * 1e9, planes_per_nic=planes_per_nic,
                rail_planes=rail_planes, rails=rails, domain=domain, tiers=tiers, taper=taper,
                nvlink=4 if domain <= 8 else 5,
            )
        )  # fmt: skip
    write_output(path, lambda stream: stream.write(to_toml(found).encode()))
    sizes = ", ".join(f"{tier.name} {tier.size.value:,.0f}" for tier in found.tiers)
    click.echo(f"{path}: {sizes}")


def _node(topology: Path, nic_gbit: float) -> tuple[int, float]:
    """Return GPUs and the NIC rate, in Gbit/s, of the node that an XML file describes."""
    from ...bench.errors import FabricError
    from ..fabrics.formats import read_nccl_topology

    try:
        node = read_nccl_topology(topology.read_text(encoding="utf-8"))
    except OSError as error:
        raise FabricError(f"{topology}: cannot be read: {error.strerror}") from error
    rates = node.nic_bits_per_s
    return node.gpus, max(rates) / 1e9 if rates else nic_gbit


def _measured(name: str, campaign: Path) -> Fabric:
    from ..fabrics.machine import machine_fabric
    from .extras import fit_all, read_measured, require

    require("scipy")
    return machine_fabric(name, fit_all(read_measured(campaign)), campaign.name)


def _crossing(name: str, campaign: Path | None, pairs: Path, domain: int, endpoints: int) -> Fabric:
    from ...bench.errors import CaseError
    from ..fabrics.crossing import crossing_fabric
    from ..series import read_rows
    from .extras import require

    require("scipy")
    if campaign is None:
        raise CaseError("--pairs: found no --campaign, expected what was measured in one domain")
    source = " and ".join(dict.fromkeys((campaign.name, pairs.name)))
    return crossing_fabric(name, read_rows(campaign), read_rows(pairs), domain, endpoints, source)


@fabric.command()
@click.argument("name")
@click.option(
    "--to", "form", type=click.Choice(["astra-sim", "infragraph", "toml"]), default="astra-sim",
    show_default=True,
)  # fmt: skip
def export(name: str, form: str) -> None:
    """Print fabric NAME in another format."""
    from ..fabrics import load_fabric
    from ..fabrics.formats import EXPORTERS

    click.echo(EXPORTERS[form](load_fabric(name)), nl=False)
