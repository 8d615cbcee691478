"""Lines that say what was measured wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .sample import Measurement

__all__ = ["wrong_lines"]

_MOST_LINES = 5


def wrong_lines(measurements: Iterable[Measurement]) -> list[str]:
    """Return a line per wrong case, the first few and how many more there are; none if none."""
    wrong = [found for found in measurements if found.wrong]
    lines = [_line(found) for found in wrong[:_MOST_LINES]]
    if len(wrong) > _MOST_LINES:
        lines.append(f"WRONG: {len(wrong) - _MOST_LINES} cases more")
    return lines


def _line(found: Measurement) -> str:
    case = found.case
    where = ""
    if found.first_wrong is not None:  # files of schema 1.1 do not say
        where = (
            f", the first {found.first_wrong} on rank {found.first_wrong_rank}, up to "
            f"{found.largest_ulps or 0:g} ulp off"
        )
    return (
        f"WRONG: {case.collective} {format_bytes(case.message_bytes)} {case.dtype} "
        f"{case.operation} {case.transport} on {found.ranks} ranks: {found.wrong} wrong "
        f"elements{where}"
    )
