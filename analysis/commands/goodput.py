"""``collcast goodput``: failures and what is left of the time, against the size of the job."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

__all__ = ["goodput"]

_GPUS = (16_384, 100_000, 200_000, 550_000, 1_000_000)


@click.command()
@click.argument("name", default="colossus-2")
@click.option("--gpus", help="16384,100000,200000,550000,1000000, as far as NAME goes, by default.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Picture to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "md"]), default="table",
    show_default=True,
)  # fmt: skip
def goodput(name: str, gpus: str | None, output: Path | None, force: bool, form: str) -> None:
    """Say how often a job on fabric NAME stops, and the share of time in which it gets anywhere."""
    from ..fabrics import load_fabric
    from ..goodput import NOTES, POLICIES
    from ..goodput import goodput as share_of
    from .blocks import goodput_text, print_block
    from .extras import parse_ranks
    from .output import print_json
    from .picture import write_picture

    fabric = load_fabric(name)
    most = round(fabric.endpoints.value)
    counts = (
        parse_ranks(gpus, "--gpus") if gpus else tuple(n for n in _GPUS if n <= most) or (most,)
    )
    found = [share_of(fabric, n, policy) for n in counts for policy in POLICIES]
    if output is not None:
        from ..drawing.failure import draw_goodput

        write_picture(output, lambda: draw_goodput(fabric), force=force)
    if form == "json":
        print_json({"fabric": fabric.name, "goodput": [asdict(item) for item in found]})
        return
    rows = [
        [
            f"{item.endpoints:,}",
            item.policy,
            " / ".join(f"{value / 60:.1f}" for value in item.mtbf_s),
            f"{item.stall_s / 60:.1f} min",
            goodput_text(item),
            "beyond 98,304, the largest published" if item.beyond_published else "",
        ]
        for item in found
    ]
    heading = ("GPUs", "policy", "minutes between failures", "stall", "goodput", "notes")
    print_block(
        form,
        "Goodput at the low / central / high rate of failures and cost of a checkpoint",
        heading,
        rows,
    )
    for policy, note in NOTES.items():
        if note:
            click.echo(f"{policy}: {note}")
