"""Print rows as a table, CSV or strict JSON: the only printing of the analysis."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["plain", "print_csv", "print_json", "print_table"]

_LEAST_WIDTH = 132  # of a table whose output is no terminal: figures must not be cut


def plain(value: Any) -> Any:
    """Return a value that JSON has: no NaN, no infinity, no NumPy scalar."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(content, indent=2, allow_nan=False))


def print_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows under a heading; unknown values are empty, numbers have seven digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(plain(row[name])) for name in columns] for row in rows)
    click.echo(text.getvalue(), nl=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "+".join(map(str, value))
    return f"{value:.7g}" if isinstance(value, float) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table; the columns after the first are right-aligned."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=name != "notes")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    width = max(shutil.get_terminal_size().columns, _LEAST_WIDTH)
    Console(file=sys.stdout, width=width, highlight=False).print(table)
