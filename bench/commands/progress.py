"""Progress of a sweep: lines from rank 0 to the parent, a bar with the time left for a person."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from ..algorithms import NATIVE
from ..units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..case import Case

__all__ = [
    "PARENT_VARIABLE",
    "parse_line",
    "progress_lines",
    "progress_silent",
    "show_bar",
    "tell",
]

PARENT_VARIABLE = "COLLCAST_PROGRESS_TO_PARENT"
_MARK = "@collcast-progress "


def progress_silent() -> Callable[[int, Case], None]:
    """Return a progress that shows nothing."""
    return lambda _done, _case: None


def progress_lines(total: int) -> Callable[[int, Case], None]:
    """Return rank 0's progress: lines for the parent that started mpirun, else a bar."""
    if os.environ.get(PARENT_VARIABLE):
        return _tell_parent
    bar = show_bar(total)

    def advance(_done: int, case: Case) -> None:
        bar.update(bar.task_ids[0], advance=1, description=_label(case))
        if bar.finished:
            bar.stop()

    return advance


def show_bar(total: int) -> Any:
    """Return a started rich bar on standard error with one task of `total` cases."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=False,
    )
    bar.add_task("starting", total=total)
    bar.start()
    return bar


def tell(line: str) -> None:
    """Print a line that is no result."""
    click.echo(f"collcast: {line}", err=True)


def parse_line(line: str) -> str | None:
    """Return the label of a progress line, None for any other line."""
    if not line.startswith(_MARK):
        return None
    label: str = json.loads(line.removeprefix(_MARK))
    return label


def _tell_parent(_done: int, case: Case) -> None:
    sys.stdout.write(_MARK + json.dumps(_label(case)) + "\n")
    sys.stdout.flush()


def _label(case: Case) -> str:
    named = "" if case.algorithm == NATIVE else f" {case.algorithm}"
    return f"{case.collective}{named} {format_bytes(case.message_bytes)}"
