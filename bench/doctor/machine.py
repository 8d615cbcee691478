"""Cores and clock of this host."""

from __future__ import annotations

import os
from pathlib import Path

from ..timer import measure_clock
from .check import Check

__all__ = ["check_clock", "check_machine"]

_SOURCE = Path("/sys/devices/system/clocksource/clocksource0")
_READ_IN_USER_SPACE = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
"""Clock sources that the vDSO reads without a system call (Linux, arch/*/include/asm/vdso)."""

_SLOW_STAMP_NS = 500.0  # a system call and a device's register; the vDSO takes 20 to 60 ns


def check_machine() -> list[Check]:
    """Return cores, clock source and clock."""
    cores = len(os.sched_getaffinity(0))
    detail = f"{cores} of {os.cpu_count() or cores} usable; more ranks are labelled oversubscribed"
    return [
        Check(name="cores", state="ok", detail=detail),
        check_clock_source(_SOURCE),
        check_clock(),
    ]


def check_clock_source(folder: Path) -> Check:
    """Return what the kernel reads the time from; `folder` is its place below /sys."""
    try:
        source = (folder / "current_clocksource").read_text(encoding="ascii").strip()
        others = (folder / "available_clocksource").read_text(encoding="ascii").split()
    except (OSError, UnicodeError):
        return Check(name="clock source", state="missing", detail="the kernel does not say")
    if source in _READ_IN_USER_SPACE:
        return Check(name="clock source", state="ok", detail=source)
    better = next((name for name in _READ_IN_USER_SPACE if name in others), "")
    fix = f"echo {better} > {folder}/current_clocksource" if better else (
        "boot with tsc=reliable if this machine's TSC is invariant (flag constant_tsc)"
    )  # fmt: skip
    detail = f"{source}: every stamp is a system call"
    return Check(name="clock source", state="warning", detail=detail, fix=fix)


def check_clock() -> Check:
    """Return the clock with its resolution and the cost and jitter of a stamp."""
    clock = measure_clock()
    detail = (
        f"{clock.name}, resolution {clock.resolution_ns:.0f} ns, stamp {clock.stamp_ns:.0f} ns, "
        f"jitter {clock.jitter_ns:.0f} ns (99 % - median)"
    )
    if clock.stamp_ns <= _SLOW_STAMP_NS:
        return Check(name="clock", state="ok", detail=detail)
    fix = "stamps are slow: see the clock source; short operations come out too long"
    return Check(name="clock", state="warning", detail=detail, fix=fix)
