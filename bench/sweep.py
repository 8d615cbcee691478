"""Sweep: collectives x sizes -> cases, for a number of ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .case import BYTES_PER_ELEMENT, PAIRS, SIZELESS, UNIFORM, Case
from .collectives import TABLE, check_divisible, granule_bytes
from .errors import CaseError
from .units import parse_sizes

__all__ = ["ALL_PAIRS", "sweep"]


ALL_PAIRS = "pairs"
"""Stands for a ping_pong between every two ranks."""


def sweep(
    collectives: tuple[str, ...],
    sizes: str,
    ranks: int,
    pair: tuple[int, int] | None = None,
    **fields: Any,
) -> tuple[Case, ...]:
    """Return the cases of a sweep, collectives outermost, sizes as given.

    A size of a range (``8:4M``) that cannot be divided among the ranks is rounded up to the next
    that can, and the same size is not measured twice. A size of a list (``1000,4096``) is taken at
    its word. One rank has no pair: operations of two ranks are left out there.

    Parameters
    ----------
    collectives : names; `ALL_PAIRS`
    sizes : text as `units.parse_sizes` reads it
    ranks : number of ranks
    pair : the ranks of an operation of two; the first and the last by default
    fields : further fields of `Case`; counts are those of all_to_allv only

    Raises
    ------
    CaseError, UnitError
        For names or sizes that cannot be measured.
    """
    cases: dict[Case, None] = {}
    for name in collectives:
        if name not in {*TABLE, ALL_PAIRS}:
            names = ", ".join([*TABLE, ALL_PAIRS])
            raise CaseError(f"collective: found {name!r}, expected one of {names}")
        own = fields if name == "all_to_allv" else {**fields, "counts": UNIFORM}
        if name in SIZELESS:
            cases[Case(collective=name, message_bytes=0, **own)] = None
            continue
        for part in sizes.split(","):
            for size in parse_sizes(part):
                for single, more in _places(name, ranks, pair):
                    case = _case(single, size, ranks, own | more, rounded=":" in part)
                    cases[case] = None
    return tuple(cases)


def _places(
    name: str, ranks: int, pair: tuple[int, int] | None
) -> list[tuple[str, dict[str, int]]]:
    """Return the collective, with root and peer where two ranks do it, as often as it is done."""
    if name == ALL_PAIRS:
        return [
            ("ping_pong", {"root": root, "peer": peer})
            for root in range(ranks)
            for peer in range(root + 1, ranks)
        ]
    if name not in PAIRS:
        return [(name, {})]
    root, peer = pair or (0, ranks - 1)
    return [(name, {"root": root, "peer": peer})] if ranks > 1 else []


def _case(name: str, size: int, ranks: int, fields: dict[str, Any], *, rounded: bool) -> Case:
    if rounded:
        # One element is the smallest message of every dtype, so a Case of it always exists.
        element = BYTES_PER_ELEMENT.get(fields.get("dtype", "float32"), 1)
        unit = Case(collective=name, message_bytes=element, **fields)
        granule = granule_bytes(unit, ranks)
        case = replace(unit, message_bytes=-(-size // granule) * granule)
        check_divisible(case, ranks)
        return case
    case = Case(collective=name, message_bytes=size, **fields)
    check_divisible(case, ranks)
    return case
