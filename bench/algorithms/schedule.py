"""Schedule: what one rank does in a named algorithm, as moves of elements; no MPI, no memory.

Elements lie in three regions: the rank's ``input``, its ``result``, and ``scratch`` of the
message's size. In place there is no input: what the rank contributes lies in the result from the
start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = [
    "INPUT",
    "RESULT",
    "SCRATCH",
    "Copy",
    "Exchange",
    "Group",
    "Move",
    "Range",
    "Reduce",
    "combine",
    "landing",
    "receive",
    "send",
    "swap",
]

INPUT, RESULT, SCRATCH = "input", "result", "scratch"


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive elements of a region."""

    region: str
    """One of `INPUT`, `RESULT`, `SCRATCH`."""

    first: int
    count: int
    """Elements, 0 or more."""

    def within(self, region: str) -> Range:
        """Return the same elements of another region."""
        return replace(self, region=region)

    def chunks(self, first: int, last: int, of: int) -> Range:
        """Return chunks first to last-1 of `of`, the longer ones (by one element) in front.

        >>> [Range("input", 10, 5).chunks(i, i + 1, 3).count for i in range(3)]
        [2, 2, 1]
        """
        size, longer = divmod(self.count, of)
        begin, end = (i * size + min(i, longer) for i in (first, last))
        return replace(self, first=self.first + begin, count=end - begin)


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy elements on this rank."""

    source: Range
    target: Range


@dataclass(frozen=True, slots=True)
class Reduce:
    """target = source op target, on this rank."""

    source: Range
    target: Range


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send and receive at the same time; done when all of it is."""

    sends: tuple[tuple[int, Range], ...]
    """(rank, what it gets)."""

    receives: tuple[tuple[int, Range], ...]
    """(rank, where what it sends goes)."""


Move = Copy | Reduce | Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Ranks that work together on the same elements, as one of them sees them."""

    members: tuple[int, ...]
    """Ranks."""

    place: int
    """Own position among the members."""

    held: Range
    """What this rank contributes; its region is `RESULT` where the operation is in place."""

    nodes: tuple[int, ...] = ()
    """Number of each member's node, from 0; empty where all share one."""

    @property
    def result(self) -> Range:
        """The elements of the result."""
        return self.held.within(RESULT)

    def member(self, place: int) -> int:
        """Return the rank at a position, counted around."""
        return self.members[place % len(self.members)]

    def settle(self) -> tuple[Move, ...]:
        """Return what brings a contribution that nobody adds to into the result."""
        return () if self.held == self.result else (Copy(self.held, self.result),)


def send(rank: int, sent: Range) -> Exchange:
    """Return a send without a receive."""
    return Exchange(((rank, sent),), ())


def receive(rank: int, received: Range) -> Exchange:
    """Return a receive without a send."""
    return Exchange((), ((rank, received),))


def swap(target: int, sent: Range, source: int, received: Range) -> Exchange:
    """Return one send and one receive at the same time."""
    return Exchange(((target, sent),), ((source, received),))


def landing(held: Range) -> Range:
    """Return where to receive what `combine` then adds to the elements held.

    Next to an input it is the result itself: neither scratch nor a copy of the input is needed.
    """
    return held.within(RESULT) if held.region == INPUT else Range(SCRATCH, 0, held.count)


def combine(held: Range) -> Reduce:
    """Return the reduction of elements held with those at their `landing`, into the result."""
    source = held if held.region == INPUT else landing(held)
    return Reduce(source, held.within(RESULT))
