"""What a machine can measure, what is missing for the rest, and how to mend it.

Each module is a group of checks: a function that returns a list of `Check`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .check import STATES, Check
from .files import check_files
from .gpu import check_gpu
from .limits import check_limits
from .machine import check_clock, check_machine
from .mpi import check_launch, check_mpi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["STATES", "Check", "check_clock", "check_launch", "run_checks"]


def run_checks(folder: Path) -> list[Check]:
    """Return every check of this machine, most basic first; `folder` is where campaigns go."""
    groups: tuple[Callable[[], list[Check]], ...] = (
        check_machine,
        check_mpi,
        partial(check_files, folder),
        check_limits,
        check_gpu,
    )
    return [check for group in groups for check in group()]
