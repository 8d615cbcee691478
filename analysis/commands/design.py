"""``collcast design``: what to measure so that a model's parameters can be told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..experiment import Experiment

__all__ = ["design"]


@click.command()
@click.argument("collective")
@click.option("--nodes", type=click.IntRange(1, 10**6), required=True, help="Nodes there are.")
@click.option(
    "--ranks-per-node", type=click.IntRange(1, 10**4), default=1, show_default=True,
    help="Ranks on each.",
)  # fmt: skip
@click.option("--largest", default="16M", show_default=True, help="Largest message.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File for 'collcast run --design'."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def design(
    collective: str, nodes: int, ranks_per_node: int, largest: str, output: Path | None,
    force: bool, form: str,
) -> None:  # fmt: skip
    """Write which algorithms, sizes and numbers of ranks identify the models of COLLECTIVE.

    Every algorithm by name is measured at every size on every number of ranks: some on one node,
    some on several, powers of two and what lies between.
    """
    from ...bench.units import parse_bytes
    from ..experiment import plan_experiment
    from .extras import check_output, write_output
    from .output import print_json

    if output is not None:
        check_output(output, (".json",), force=force)
    found = plan_experiment(collective, nodes, ranks_per_node, parse_bytes(largest))
    values = _values(found)
    if output is not None:
        text = json.dumps(values, indent=2, allow_nan=False) + "\n"
        write_output(output, lambda stream: stream.write(text.encode()))
    if form == "json":
        print_json(values)
    else:
        _print(found, output)


def _values(found: Experiment) -> dict[str, Any]:
    return {
        "design": 1,
        "collectives": [found.collective],
        "algorithms": list(found.algorithms),
        "ranks": list(found.ranks),
        "sizes": found.sizes,
        "ranks_per_node": found.ranks_per_node,
        "models": [
            {
                "name": one.name,
                "identified": list(one.identified),
                "unidentified": list(one.unidentified),
                "condition": one.condition,
            }
            for one in (*found.models, found.together)
        ],
    }


def _print(found: Experiment, output: Path | None) -> None:
    from .output import print_table

    lines = [
        [one.name, ", ".join(one.identified), ", ".join(one.unidentified), f"{one.condition:.0f}"]
        for one in (*found.models, found.together)
    ]
    heading = ("model", "identified", "not told apart from those", "condition")
    print_table(f"{found.collective}, {max(found.ranks)} ranks", heading, lines)
    options = "--design " + str(output)
    if output is None:
        ranks = ",".join(map(str, found.ranks))
        options = (
            f"{found.collective} --algorithm {','.join(found.algorithms)} "
            f"--sizes {found.sizes} --ranks {ranks}"
        )
    click.echo(f"mpirun -n {max(found.ranks)} collcast run {options} -o run.h5")
