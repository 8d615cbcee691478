"""Sweep: collectives x sizes -> cases, for a number of ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .case import BYTES_PER_ELEMENT, UNIFORM, Case
from .collectives import TABLE, check_divisible, granule_bytes
from .errors import CaseError
from .units import parse_sizes

__all__ = ["sweep"]


def sweep(collectives: tuple[str, ...], sizes: str, ranks: int, **fields: Any) -> tuple[Case, ...]:
    """Return the cases of a sweep, collectives outermost, sizes as given.

    A size of a range (``8:4M``) that cannot be divided among the ranks is rounded up to the next
    that can, and the same size is not measured twice. A size of a list (``1000,4096``) is taken at
    its word.

    Parameters
    ----------
    collectives : names
    sizes : text as `units.parse_sizes` reads it
    ranks : number of ranks
    fields : further fields of `Case`; counts are those of all_to_allv only

    Raises
    ------
    CaseError, UnitError
        For names or sizes that cannot be measured.
    """
    cases: dict[Case, None] = {}
    for name in collectives:
        if name not in TABLE:
            raise CaseError(f"collective: found {name!r}, expected one of {', '.join(TABLE)}")
        own = fields if name == "all_to_allv" else {**fields, "counts": UNIFORM}
        if name == "barrier":
            cases[Case(collective=name, message_bytes=0, **own)] = None
            continue
        for part in sizes.split(","):
            for size in parse_sizes(part):
                case = _case(name, size, ranks, own, rounded=":" in part)
                cases[case] = None
    return tuple(cases)


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
