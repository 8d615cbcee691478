"""What network counters and GPU readings around a case say: congestion, or a slowed device.

The names are those of the kernel's drivers: mlx5 and the InfiniBand architecture's port counters,
Slingshot's cxi, TCP's, and NVML's reasons for lowered clocks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bench.observation import Observation, Reading

__all__ = ["KINDS", "Sign", "kind_of", "signs_of"]

KINDS = {
    "mark": r"ecn|cnp|InCEPkts",
    "retransmit": r"retr|rnr_nak|local_ack_timeout|slow_restart|TCPTimeouts|nack",
    "order": r"out_of_sequence|packet_seq_err|duplicate_request|implied_nak|OFO",
    "pause": r"pause|xmit_wait|xoff",
    "drop": r"drop|discard|error|err\b|_err_|out_of_buffer|link_downed|timeout",
}
"""Kind of sign -> counters that are one; the first that matches."""

_KINDS = {kind: re.compile(text, re.ASCII | re.IGNORECASE) for kind, text in KINDS.items()}
_THROTTLE = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal",
    0x40: "hardware thermal",
    0x80: "power brake",
}
"""NVML's bits that slow a busy GPU; idle (1) and clocks that somebody set (2) are none."""


class Sign(NamedTuple):
    """One thing that happened during a case."""

    place: str
    """Host, or the GPU's UUID."""

    kind: str
    """A key of `KINDS`, ``throttle``, or "" for a counter that is no sign of trouble."""

    name: str
    times: int


def kind_of(counter: str) -> str:
    """Return the kind of sign that a counter is, "" for none.

    >>> kind_of("mlx5_0/1/port_xmit_wait"), kind_of("eth0/tx_bytes")
    ('pause', '')
    """
    name = counter.rpartition("/")[2]
    return next((kind for kind, sign in _KINDS.items() if sign.search(name)), "")


def signs_of(observed: Observation) -> Iterator[Sign]:
    """Yield what was seen around a case, counters of no trouble included, by place."""
    for host, counters in sorted(observed.counters.items()):
        for name, count in sorted(counters.items()):
            yield Sign(host, kind_of(name), name, count)
    for uuid, readings in sorted(observed.devices.items()):
        yield from _throttles(uuid, readings)


def _throttles(uuid: str, readings: tuple[Reading, Reading]) -> Iterator[Sign]:
    for bit, name in _THROTTLE.items():
        seen = sum(reading.throttle >= 0 and bool(reading.throttle & bit) for reading in readings)
        if seen:
            yield Sign(uuid, "throttle", name, seen)
