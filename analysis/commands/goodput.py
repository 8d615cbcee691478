"""``collcast goodput``: failures and what is left of the time, against the size of the job."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

__all__ = ["goodput"]


@click.command()
@click.argument("name", default="colossus-2")
@click.option("--gpus", default="16384,100000,200000,550000,1000000", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Picture to write.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "md"]), default="table",
    show_default=True,
)  # fmt: skip
def goodput(name: str, gpus: str, output: Path | None, force: bool, form: str) -> None:
    """Say how often a job on fabric NAME stops, and the share of time in which it gets anywhere."""
    from ..fabrics import load_fabric
    from ..goodput import POLICIES
    from ..goodput import goodput as share_of
    from .blocks import percent, print_block
    from .extras import parse_ranks
    from .output import print_json
    from .picture import write_picture

    fabric = load_fabric(name)
    found = [
        share_of(fabric, n, policy) for n in parse_ranks(gpus, "--gpus") for policy in POLICIES
    ]
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
            " / ".join(percent(share) for share in item.share),
            "beyond 98,304, the largest published" if item.beyond_published else "",
        ]
        for item in found
    ]
    heading = ("GPUs", "policy", "minutes between failures", "stall", "goodput", "notes")
    print_block(form, "Goodput at the low / central / high rate of failures", heading, rows)
