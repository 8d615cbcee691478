"""Refuse options of ``collcast run`` that would change nothing in what it measures."""

from __future__ import annotations

from typing import Any

from ..case import PAIRS
from ..errors import CaseError
from ..sweep import ALL_PAIRS

__all__ = ["PRECISION", "check_used"]

PRECISION = 0.01
"""Half-width of the 95 % interval over the median, unless --precision says another."""

_BY_PRECISION: dict[str, Any] = {"precision": PRECISION, "budget": None}
_OF_NOISE: dict[str, Any] = {
    "skew": "", "sync": "barrier", "protocol": "latency", "batch": None, "verify": 0.0,
    "precision": PRECISION,
}  # fmt: skip


def check_used(given: dict[str, Any]) -> None:
    """Refuse values, other than the default, that what is measured has no use for.

    A file that is resumed may have recorded some of them.

    Raises
    ------
    CaseError
        Names the option and what it lacks, or what it stands beside.
    """
    names = set(given["collectives"])
    for name, used, needed in (
        ("share", given["aggressor"], "--aggressor"),
        ("pair", names & {*PAIRS}, ", ".join(PAIRS)),
        ("pair_rounds", ALL_PAIRS in names, ALL_PAIRS),
        ("allow_change", False, "--resume"),
    ):
        if given[name] and not used and not given["resume"]:
            raise CaseError(
                f"{_option(name)}: found {_text(given[name])} without {needed}, expected both"
            )
    for beside, ignores, defaults in (
        ("noise", names == {"noise"}, _OF_NOISE),
        ("--repetitions", given["repetitions"] and names != {"noise"}, _BY_PRECISION),
    ):
        for name, default in defaults.items() if ignores and not given["resume"] else ():
            if given[name] != default:
                raise CaseError(
                    f"{_option(name)}: found {_text(given[name])} beside {beside}, expected one of "
                    "the two"
                )


def _option(name: str) -> str:
    return name.replace("_", "-")


def _text(value: Any) -> str:
    if value is True:
        return "it"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
