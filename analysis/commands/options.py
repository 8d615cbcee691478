"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...bench.protocol import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "form_option",
    "page_options",
    "ranks_option",
    "seed_option",
    "sizes_option",
    "statistic_option",
]

Command = TypeVar("Command", bound="Callable[..., Any]")


def page_options(what: str) -> Callable[[Command], Command]:
    """Return the options of a command that draws a file's forecast: output, fabric, force."""
    parts = (
        click.argument("file", type=click.Path(path_type=Path)),
        click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help=what),
        click.option(
            "--fabric",
            "fabric_name",
            default="colossus-2",
            show_default=True,
            help="Fabric of the forecast: a name, a .toml file, or none.",
        ),
        click.option("--force", is_flag=True, help="Replace an existing file."),
    )

    def add(command: Command) -> Command:
        for part in reversed(parts):
            command = part(command)
        return command

    return add


def form_option(*forms: str) -> Callable[[Command], Command]:
    """Return the option that chooses the form of the output; a table unless said."""
    return click.option(
        "--format", "form", type=click.Choice(["table", *forms]), default="table",
        show_default=True,
    )  # fmt: skip


ranks_option = click.option(
    "--ranks", required=True, help="Numbers of ranks, such as 1000000 or 64,1000000."
)
sizes_option = click.option(
    "--sizes", help="Message sizes, such as 8:4M or 1M,1G; by default those measured."
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all draws."
)
statistic_option = click.option(
    "--statistic",
    type=click.Choice(STATISTICS),
    help="Statistic of a repetition; by default the one that fits the start synchronisation.",
)
