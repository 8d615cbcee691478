"""What of a campaign is missing, and whether this machine may go on with it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EnvironmentMismatchError, StoreError
from .host import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .case import Case
    from .environment import Environment
    from .protocol import Protocol
    from .sample import Campaign

__all__ = ["check_same_machine", "command_line", "missing_cases", "recorded_command"]

_FILES = ("--topology", "--design")  # options whose value is read again when a file is resumed
_SAME = ("cpu", "gpu", "driver", "mpi_library", "mpi_thread_level")


def command_line() -> tuple[str, ...]:
    """Return the command line of this process, as a later one elsewhere can use it again.

    Files of topology and design are named absolutely: a campaign may be resumed from elsewhere.
    """
    words = ["collcast", *sys.argv[1:]]
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if word in _FILES and at + 1 < len(words):
            words[at + 1] = str(Path(words[at + 1]).absolute())
        elif name in _FILES and equals:
            words[at] = f"{name}={Path(value).absolute()}"
    return tuple(as_text(word) for word in words)


def recorded_command(campaign: Campaign, path: object) -> tuple[str, ...]:
    """Return the arguments after ``collcast run`` with which a campaign began.

    Raises
    ------
    StoreError
        If no launch recorded them.
    """
    for launch in sorted(campaign.launches, key=lambda launch: launch.number):
        command = launch.environment.command
        if "run" in command:
            return command[command.index("run") + 1 :]
    raise StoreError(f"resume: {path}: found no recorded command, expected one of 'collcast run'")


def missing_cases(
    campaign: Campaign,
    cases: tuple[Case, ...],
    ranks: int,
    launches: int,
    protocol: Protocol,
    varied: Mapping[str, str],
) -> tuple[Case, ...]:
    """Return those of `cases` that fewer than `launches` launches of `ranks` ranks have measured.

    Only launches count in which the variables that the sweep varies had the values `varied`.

    Raises
    ------
    EnvironmentMismatchError
        If a launch of so many ranks was measured by another protocol.
    """
    done: Counter[Case] = Counter()
    for measurement in campaign.measurements:
        launch = campaign.launch_of(measurement)
        pair = measurement.case.peer >= 0  # two ranks of as many as the launch has
        so_many = launch.environment.ranks if pair else measurement.ranks
        if so_many != ranks or measurement.group or launch.environment.varied != varied:
            continue
        found = launch.protocol
        for field in fields(protocol):
            before, now = getattr(found, field.name), getattr(protocol, field.name)
            if before != now:
                raise EnvironmentMismatchError(
                    f"resume: protocol.{field.name}: found {before!r} in launch "
                    f"{measurement.launch}, expected {now!r}"
                )
        done[measurement.case] += 1
    return tuple(case for case in cases if done[case] < launches)


def check_same_machine(campaign: Campaign, environment: Environment) -> None:
    """Refuse to add to a campaign what another machine or other software measures.

    Raises
    ------
    EnvironmentMismatchError
        Names the first field that differs.
    """
    for launch in campaign.launches:
        before = launch.environment
        pairs = [(name, getattr(before, name), getattr(environment, name)) for name in _SAME]
        if before.ranks == environment.ranks:
            hosts = sorted(before.cores_per_host), sorted(environment.cores_per_host)
            pairs.append(("hosts", *hosts))
        version = "collcast"
        pairs.append((version, before.packages.get(version), environment.packages.get(version)))
        for name, expected, found in pairs:
            if found != expected:
                raise EnvironmentMismatchError(
                    f"resume: {name}: found {found!r}, expected {expected!r} as in launch "
                    f"{launch.number}; --allow-change goes on all the same"
                )
