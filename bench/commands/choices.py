"""What a sweep chooses of algorithms: ours by name, the library's by its environment variables.

Or all of it from a file that ``collcast design`` wrote.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..algorithms import algorithms_of
from ..errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "check_algorithms",
    "chosen_here",
    "combinations",
    "parse_algorithms",
    "parse_varied",
    "read_design",
    "variables_of",
]

_DESIGN = 1  # version of a design file

_TUNED = "OMPI_MCA_coll_tuned_"
_HEEDED = {
    "OMPI_MCA_coll_tuned_use_dynamic_rules": "1",
    "OMPI_MCA_coll_han_priority": "0",  # across hosts 35 by default, above tuned's 30
}
"""What else Open MPI wants before it heeds a choice of coll_tuned (5.0: coll_han_module.c)."""


def parse_algorithms(_ctx: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    """Return the names of a comma list, none twice."""
    names = tuple(text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise click.BadParameter(f"found {text!r}, expected different names, as native,ring")
    return names


def check_algorithms(
    algorithms: Sequence[str], collectives: Sequence[str], transports: Sequence[str]
) -> None:
    """Refuse an algorithm that nothing has, and a collective that has none of them.

    Raises
    ------
    CaseError
        Names what there is.
    """
    known = {
        name: dict.fromkeys(a for transport in transports for a in algorithms_of(name, transport))
        for name in collectives
    }
    for name, names in known.items():
        if not set(algorithms) & set(names):
            raise CaseError(
                f"algorithm: found {','.join(algorithms)} for {name} over {','.join(transports)}, "
                f"expected some of {', '.join(names)}"
            )
    every = dict.fromkeys(itertools.chain.from_iterable(known.values()))
    for algorithm in algorithms:
        if algorithm not in every:
            raise CaseError(
                f"algorithm: found {algorithm!r} for {', '.join(collectives)}, expected some of "
                f"{', '.join(every)}"
            )


def parse_varied(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return variable -> values from texts such as ``NCCL_ALGO=Ring,Tree``.

    Raises
    ------
    CaseError
        If one is no name and different values, or a name comes twice.
    """
    varied: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, listed = text.partition("=")
        values = tuple(listed.split(","))
        fine = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in varied
        if not fine or "" in values or len(set(values)) < len(values):
            raise CaseError(
                f"vary: found {text!r}, expected NAME=VALUE,VALUE of different values, each name "
                "once"
            )
        varied[name] = values
    return varied


def combinations(varied: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return every choice of one value per variable; one empty choice where nothing varies.

    >>> combinations({"A": ("1", "2"), "B": ("x",)})
    [{'A': '1', 'B': 'x'}, {'A': '2', 'B': 'x'}]
    """
    chosen = itertools.product(*varied.values())
    return [dict(zip(varied, values, strict=True)) for values in chosen]


def variables_of(chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a launch, with the switches by which Open MPI heeds coll_tuned's.

    What the environment says of those switches stands.
    """
    tuned = any(name.startswith(_TUNED) for name in chosen)
    more = {name: os.environ.get(name, value) for name, value in _HEEDED.items()} if tuned else {}
    return more | dict(chosen)


def chosen_here(
    varied: Mapping[str, Sequence[str]], variables: Mapping[str, str], *, alone: bool
) -> dict[str, str]:
    """Return which of the values this launch has; mpirun is running and cannot be given others.

    Parameters
    ----------
    alone
        Whether no other launch will measure the other values.

    Raises
    ------
    CaseError
        If the environment has none of them, or others would be left out.
    """
    for name, values in varied.items():
        found = variables.get(name)
        if found not in values or (alone and len(values) > 1):
            raise CaseError(
                f"vary: found {name}={found or ''} under mpirun, expected --vary {name}="
                f"{','.join(values)} to name just that: a launch that runs has one value; leave "
                "mpirun out, or start it once per value with --append"
            )
    chosen = {name: variables[name] for name in varied}
    for name, value in variables_of(chosen).items():
        if variables.get(name) != value:
            raise CaseError(
                f"vary: found {name}={variables.get(name, '')} under mpirun, expected {value}: "
                "without it Open MPI does not heed coll_tuned's choices"
            )
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Design:
    """What of a design file is measured; its other fields say why."""

    design: int
    collectives: tuple[str, ...]
    algorithms: tuple[str, ...]
    ranks: tuple[int, ...]
    sizes: str


def read_design(path: Path) -> dict[str, Any]:
    """Return the values of ``run``'s parameters that a design file stands for, by name.

    Raises
    ------
    CaseError
        If it cannot be read or is no design.
    """
    import msgspec

    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Design)
    except OSError as error:
        raise CaseError(f"design: {path}: {error.strerror}, expected a file") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise CaseError(
            f"design: {path}: {error}, expected what 'collcast design' wrote"
        ) from error
    if found.design != _DESIGN or not found.ranks or min(found.ranks) < 1:
        raise CaseError(
            f"design: {path}: found version {found.design} and ranks {list(found.ranks)}, expected "
            f"{_DESIGN} and at least one number of ranks"
        )
    return {
        "collectives": found.collectives,
        "algorithm": found.algorithms,
        "ranks": found.ranks,
        "sizes": found.sizes,
    }
