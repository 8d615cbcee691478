"""Copies within one memory, as steps: what a collective on one rank is held against.

    host      memcpy(to, from, bytes)
    device    cuMemcpyDtoDAsync_v2(to, from, bytes, stream)      returns when it is queued

The driver's synchronous copy returns before a device has copied within itself, so that one waits
for a stream of its own.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

from ...native import Step
from ..driver import open_driver

if TYPE_CHECKING:
    from ..driver import Driver

__all__ = ["DeviceCopy", "device_copy", "host_copy"]


def host_copy(to: int, source: int, size_bytes: int) -> Step:
    """Return the step that copies host memory; addresses, bytes."""
    return Step(_memcpy(), (to, source, size_bytes), "timed", ok=())


def device_copy(driver: Driver, to: int, source: int, size_bytes: int, stream: int) -> Step:
    """Return the step that queues a copy within device memory."""
    function = driver.address("cuMemcpyDtoDAsync_v2")
    return Step(function, (to, source, size_bytes, stream), "timed")


class DeviceCopy:
    """Copies on a stream of their own, done when the last step returns."""

    def __init__(self) -> None:
        self._driver = open_driver()
        self._stream = self._driver.create_stream()

    def steps(self, to: int, source: int, size_bytes: int) -> tuple[Step, ...]:
        """Return the copy and the wait for it."""
        wait = Step(self._driver.address("cuStreamSynchronize"), (self._stream,), "timed")
        return device_copy(self._driver, to, source, size_bytes, self._stream), wait

    def describe(self, code: int, function: int) -> str:
        """Return the driver's text for a code of one of these steps, "" for other functions."""
        names = ("cuMemcpyDtoDAsync_v2", "cuStreamSynchronize")
        ours = {self._driver.address(name) for name in names}
        return self._driver.describe(code, function) if function in ours else ""

    def close(self) -> None:
        """Free the stream."""
        self._driver.destroy_stream(self._stream)


@cache
def _memcpy() -> int:
    return int(ctypes.cast(ctypes.CDLL(None).memcpy, ctypes.c_void_p).value or 0)
