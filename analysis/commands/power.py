"""``collcast power``: GPUs that a supply runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

__all__ = ["power"]


@click.command()
@click.argument("name", default="colossus-2")
@click.option("--supply", "supplies", multiple=True, help="As 150MW or 1.4GW; may be repeated.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Picture to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "md"]), default="table",
    show_default=True,
)  # fmt: skip
def power(
    name: str, supplies: tuple[str, ...], output: Path | None, force: bool, form: str
) -> None:
    """Say how many GPUs of fabric NAME a supply runs, under each published all-in power."""
    from ...bench.errors import CaseError
    from ..fabrics import load_fabric
    from ..power import feed, parse_watts
    from .blocks import print_block, quantity
    from .output import print_json
    from .picture import write_picture

    fabric = load_fabric(name)
    found = feed(fabric, {text: parse_watts(text) for text in supplies})
    if not found:
        raise CaseError(
            f"--supply: found none, and none in {fabric.name}, expected one such as 150MW"
        )
    if output is not None:
        from ..drawing.supply import draw_supply

        write_picture(output, lambda: draw_supply(fabric), force=force)
    if form == "json":
        print_json({"fabric": fabric.name, "supplies": [asdict(item) for item in found]})
        return
    rows = [
        [
            item.supply,
            quantity(item.supply_w, "W"),
            item.case,
            f"{item.per_gpu_w / 1e3:.2f} kW",
            f"{item.gpus:,}",
            quantity(item.needed_w, "W"),
        ]
        for item in found
    ]
    needed = f"for {fabric.endpoints.value:,.0f}"
    heading = ("supply", "power", "all-in case", "per GPU", "GPUs", needed)
    print_block(form, f"GPUs that a supply runs: {fabric.name}", heading, rows)
