"""Print titled tables as text or Markdown: one place for commands that offer both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..goodput import Goodput

__all__ = ["goodput_text", "percent", "print_block", "quantity", "spread_text"]


def print_block(
    form: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Print one table in the form ``table`` or ``md``."""
    from .output import print_table

    if form == "table":
        print_table(title, columns, rows)
        return
    click.echo(f"## {title}\n")
    for line in (columns, ["---"] * len(columns), *rows):
        click.echo("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |")
    click.echo()


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.1f} %" if 0 < share < 0.095 else f"{100 * share:.0f} %"


def goodput_text(found: Goodput) -> str:
    """Write the shares of the low, central and high rate, ranges where there are two ends."""
    return " / ".join(
        percent(share) if share == most else f"{percent(share)} to {percent(most)}"
        for share, most in zip(found.share, found.most, strict=True)
    )


def quantity(value: float, unit: str) -> str:
    """Write a large quantity with three digits and a prefix.

    >>> quantity(1.8e9, "W")
    '1.8 GW'
    """
    for prefix, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def spread_text(values: tuple[float, float, float], share: bool = False) -> str:
    """Write a median and its 90 % interval."""
    middle, low, high = (percent(v) if share else f"{v:.3g}" for v in values)
    return f"{middle} ({low} to {high})"
