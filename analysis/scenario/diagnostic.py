"""Diagnostics: one flat collective over every GPU, which no job asks for.

payload per peer = n / N            connections = N - 1 per rank
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Diagnostic", "diagnose"]

_MESSAGE_BYTES = 235_000_000  # dispatch of DeepSeek-V3: 4,096 tokens x 8 x 7,168 in FP8
_CONNECTION_BYTES = 128 << 10  # assumed: one buffer and queue pair state per peer, at the least
_LEAST_PAYLOAD_BYTES = 4096  # assumed: below it a message costs its latency, not its bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """What stands against a flat collective."""

    collective: str
    realisable: bool
    arithmetic: str


def diagnose(gpus: int) -> tuple[Diagnostic, ...]:
    """Return what a flat all-to-all and a flat ring all-reduce over so many ranks would ask."""
    payload = _MESSAGE_BYTES / gpus
    memory = _CONNECTION_BYTES * (gpus - 1)
    steps = 2 * (gpus - 1)
    return (
        Diagnostic(
            collective="flat all-to-all",
            realisable=payload >= _LEAST_PAYLOAD_BYTES and memory < 8e9,
            arithmetic=f"235 MB / {gpus:,} = {payload:,.0f} bytes per peer; {gpus - 1:,} "
            f"connections of 128 KiB (assumed) = {memory / 1e9:,.0f} GB per GPU",
        ),
        Diagnostic(
            collective="flat ring all-reduce",
            realisable=steps * 1e-6 < 0.1,
            arithmetic=f"{steps:,} steps; at 1 us each {steps * 1e-6:.3g} s before any byte counts",
        ),
    )
