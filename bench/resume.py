"""What of a campaign is missing, and whether this machine may go on with it."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from .case import UNIFORM
from .errors import EnvironmentMismatchError, StoreError
from .host import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .case import Case
    from .environment import Environment
    from .protocol import Protocol
    from .sample import Campaign, Launch

__all__ = [
    "check_same_machine",
    "command_line",
    "missing_cases",
    "recorded_command",
    "recorded_ranks",
]

# Options whose value is read again when a file is resumed, and what of some is no file.
_FILES = ("--topology", "--design", "--counts", "--skew")
_PATTERNS = {
    "--counts": (UNIFORM, "zipf"),
    "--skew": ("", "uniform", "linear", "one-late"),
}
_SAME = ("cpu", "gpu", "driver", "mpi_library", "mpi_thread_level")


def command_line() -> tuple[str, ...]:
    """Return the command line of this process, as a later one elsewhere can use it again.

    Files are named absolutely: a campaign may be resumed from elsewhere.
    """
    words = ["collcast", *sys.argv[1:]]
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if at + 1 < len(words):
            words[at + 1] = _absolute(word, words[at + 1])
        if equals:
            words[at] = f"{name}={_absolute(name, value)}"
    return tuple(as_text(word) for word in words)


def _absolute(option: str, value: str) -> str:
    """The value of an option, absolute where it names a file."""
    if option in _PATTERNS and value.partition(":")[0] in _PATTERNS[option]:
        return value
    return str(Path(value).absolute()) if option in _FILES else value


def recorded_command(campaign: Campaign, path: object) -> tuple[str, ...]:
    """Return the arguments after ``collcast run`` with which a campaign began.

    Raises
    ------
    StoreError
        If no launch recorded them.
    """
    command = _command(campaign)
    if not command:
        raise StoreError(
            f"resume: {path}: found no recorded command, expected one of 'collcast run'"
        )
    return command[command.index("run") + 1 :]


def recorded_ranks(campaign: Campaign) -> tuple[int, ...]:
    """Return on how many ranks the command with which a campaign began has measured, ascending."""
    command = _command(campaign)
    return tuple(
        sorted({x.environment.ranks for x in campaign.launches if x.environment.command == command})
    )


def _command(campaign: Campaign) -> tuple[str, ...]:
    """The first command line that launches recorded; empty where none did."""
    launches = sorted(campaign.launches, key=lambda launch: launch.number)
    commands = (launch.environment.command for launch in launches)
    return next((command for command in commands if "run" in command), ())


def missing_cases(
    campaign: Campaign,
    cases: tuple[Case, ...],
    ranks: int,
    launches: int,
    protocol: Protocol,
    varied: Mapping[str, str],
) -> tuple[Case, ...]:
    """Return those of `cases` that fewer than `launches` launches of `ranks` ranks have measured.

    Only launches count in which the variables that the sweep varies had the values `varied`, and
    of the same protocol: a command that added launches later may have asked for another.

    Raises
    ------
    EnvironmentMismatchError
        If the command with which the campaign began has measured such a case by another protocol.
    """
    command, wanted = _command(campaign), set(cases)
    done: Counter[Case] = Counter()
    for measurement in campaign.measurements:
        launch = campaign.launch_of(measurement)
        pair = measurement.case.peer >= 0  # two ranks of as many as the launch has
        so_many = launch.environment.ranks if pair else measurement.ranks
        if so_many != ranks or measurement.group or launch.environment.varied != varied:
            continue
        if measurement.case in wanted and launch.environment.command == command:
            _expect_protocol(launch, protocol)
        done[measurement.case] += launch.protocol == protocol
    return tuple(case for case in cases if done[case] < launches)


def _expect_protocol(launch: Launch, protocol: Protocol) -> None:
    for field in fields(protocol):
        before, now = getattr(launch.protocol, field.name), getattr(protocol, field.name)
        if before != now:
            raise EnvironmentMismatchError(
                f"resume: protocol.{field.name}: found {before!r} in launch {launch.number}, "
                f"expected {now!r}"
            )


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
