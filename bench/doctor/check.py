"""Check: what one look at this machine found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CaseError

__all__ = ["STATES", "Check"]

STATES = ("ok", "missing", "warning", "failure")
"""``missing``: not there, and needed for some measurements only; ``warning``: measures, but not
well; ``failure``: nothing can be measured before it is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding.

    A group of checks is a function without arguments that returns a list of these and raises
    nothing: what goes wrong is a finding.
    """

    name: str
    """Short, lower case, such as ``mpi library``."""

    state: str
    """One of `STATES`."""

    detail: str
    """What was found, with units."""

    fix: str = ""
    """What to do; "" where nothing needs to be done."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise CaseError(f"check.state: found {self.state!r}, expected one of {STATES}")
        if self.state in {"warning", "failure"} and not self.fix:
            raise CaseError(f"check.fix: found none for {self.name!r}, expected what to do")
