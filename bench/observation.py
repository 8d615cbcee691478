"""Observation: what nodes and devices said before and after one case, as a pure value."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Observation", "Reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a GPU; -1 where it does not say."""

    sm_mhz: int = -1
    memory_mhz: int = -1
    power_mw: int = -1
    temperature_c: int = -1
    throttle: int = -1
    """Why its clocks are lowered: NVML's bit mask of reasons (nvmlClocksThrottleReason...)."""

    ecc_errors: int = -1
    """Uncorrected memory errors since the driver was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Around one case, outside its timed loop."""

    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    """Host -> counter of its network -> by how much it rose; those that did not are left out."""

    devices: dict[str, tuple[Reading, Reading]] = field(default_factory=dict)
    """UUID of a GPU -> before and after."""
