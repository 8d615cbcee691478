"""Skew: ranks that arrive late on purpose, as a pure value with a text that a file can hold.

P ranks, r one of them, D the largest delay:

    uniform:D           drawn from [0, D] for every rank and sample
    linear:D            r D / (P - 1)
    one-late:rank=r,D   D on rank r, 0 elsewhere
    table:D0,D1,...     a delay per rank

Draws come from NumPy's default generator of (seed, rank), one per sample of a case in the order in
which its samples were attempted, warm-up first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CaseError, UnitError
from .units import parse_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Skew", "parse_skew", "read_skew"]

_EXPECTED = "uniform:50us, linear:50us, one-late:rank=3,200us or a file with a delay per rank"
_LARGEST_NS = 10_000_000_000  # a rank that comes later than that is a hang, not a pattern
_MOST_TEXT = 1 << 15  # bytes of a text in a campaign file


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How late each rank arrives at each sample."""

    pattern: str
    """``uniform``, ``linear``, ``one-late`` or ``table``."""

    delays_ns: tuple[int, ...]
    """The largest delay; of a table, one delay per rank."""

    rank: int = -1
    """Who is late, with ``one-late``."""

    def __str__(self) -> str:
        """Write what `parse_skew` reads."""
        late = f"rank={self.rank}," if self.pattern == "one-late" else ""
        return f"{self.pattern}:{late}{','.join(map(_text, self.delays_ns))}"

    @property
    def largest_ns(self) -> int:
        """No rank is later than that."""
        return max(self.delays_ns)

    def check(self, ranks: int) -> None:
        """Refuse a number of ranks that this pattern does not fit.

        Raises
        ------
        CaseError
            Where the late rank is none of them, or the table has another length.
        """
        if self.rank >= ranks:
            raise CaseError(f"skew: found rank {self.rank} on {ranks} ranks, expected less")
        if self.pattern == "table" and len(self.delays_ns) != ranks:
            raise CaseError(
                f"skew: found {len(self.delays_ns)} delays, expected {ranks}, one per rank"
            )

    def draw_ns(
        self, rank: int, ranks: int, samples: int, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Return how late `rank` arrives at the next samples, shape (samples,)."""
        import numpy as np  # which the command line's help does not need

        if self.pattern == "uniform":
            return generator.integers(0, self.largest_ns, samples, np.int64, endpoint=True)
        if self.pattern == "linear":
            own_ns = round(self.largest_ns * rank / max(ranks - 1, 1))
        elif self.pattern == "one-late":
            own_ns = self.largest_ns if rank == self.rank else 0
        else:
            own_ns = self.delays_ns[rank]
        return np.full(samples, own_ns, np.int64)


def parse_skew(text: str) -> Skew:
    """Return the skew of a text such as ``uniform:50us``.

    >>> parse_skew("one-late:rank=3,0.2ms").delays_ns
    (200000,)

    Raises
    ------
    CaseError
        If the text is no pattern, or a delay is none or beyond 10 s.
    """
    pattern, _, rest = text.partition(":")
    parts = [part.strip() for part in rest.split(",")]
    rank = -1
    if pattern == "one-late" and re.fullmatch("rank=[0-9]{1,7}", parts[0]):
        rank = int(parts.pop(0).removeprefix("rank="))
    known = pattern in {"uniform", "linear", "table"} or rank >= 0
    if not known or (pattern != "table" and len(parts) != 1):
        raise CaseError(f"skew: found {_shortened(text)!r}, expected {_EXPECTED}")
    return Skew(pattern=pattern, delays_ns=_delays_ns(parts, text), rank=rank)


def read_skew(text: str) -> str:
    """Return the canonical text of a pattern, or of a file: delays between commas or lines.

    Raises
    ------
    CaseError
        If it is neither.
    """
    if not text or text.partition(":")[0] in {"uniform", "linear", "one-late"}:
        return str(parse_skew(text)) if text else ""
    path = Path(text)
    try:
        words = path.read_text(encoding="utf-8").replace("\n", ",").split(",")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CaseError(f"skew: found {_shortened(text)!r}, expected {_EXPECTED}") from error
    parts = [word.strip() for word in words if word.strip()]
    if not parts:
        raise CaseError(f"skew: found no delay in {path}, expected one per rank")
    found = str(Skew(pattern="table", delays_ns=_delays_ns(parts, text)))
    if len(found) > _MOST_TEXT:
        raise CaseError(f"skew: found {len(found)} bytes of delays, expected at most {_MOST_TEXT}")
    return found


def _delays_ns(parts: list[str], text: str) -> tuple[int, ...]:
    delays_ns = []
    for part in parts:
        try:
            delays_ns.append(round(parse_seconds(part) * 1e9))
        except UnitError as error:
            raise CaseError(
                f"skew: found {_shortened(part)!r} in {_shortened(text)!r}, expected a delay such "
                "as 50us"
            ) from error
    if not 0 < max(delays_ns) <= _LARGEST_NS:
        raise CaseError(
            f"skew: found {_text(max(delays_ns))} as largest delay in {_shortened(text)!r}, "
            f"expected 1ns to {_text(_LARGEST_NS)}"
        )
    return tuple(delays_ns)


def _text(delay_ns: int) -> str:
    """Write a delay exactly, in the largest unit that leaves a whole number."""
    for suffix, unit in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if delay_ns and delay_ns % unit == 0:
            return f"{delay_ns // unit}{suffix}"
    return f"{delay_ns}ns"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
