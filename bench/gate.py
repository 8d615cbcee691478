"""Gate: holds a stream until a word of pinned memory is 1, so that work can be queued behind it.

The driver waits for the word by itself (cuStreamWaitValue32); where it refuses, a kernel of one
thread does, which reads the word until it is 1. The kernel is PTX: every driver compiles that for
its device, so neither a compiler nor CuPy is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..native import BUILTINS, Step
from .errors import TransportError

if TYPE_CHECKING:
    from .driver import Driver

__all__ = ["Gate"]

_AT_LEAST = 0  # CU_STREAM_WAIT_VALUE_GEQ
_SPIN = b"""
.version 6.0
.target sm_60
.address_size 64
.visible .entry spin(.param .u64 address)
{
    .reg .pred %waits;
    .reg .u32 %value;
    .reg .u64 %word;
    ld.param.u64 %word, [address];
    cvta.to.global.u64 %word, %word;
again:
    ld.volatile.global.u32 %value, [%word];
    setp.eq.u32 %waits, %value, 0;
    @%waits bra again;
    ret;
}
"""  # Pascal's PTX; ptxas 13.5 assembles it for sm_75 to sm_120


class Gate:
    """A gate on a stream; open at first.

    Parameters
    ----------
    driver : Driver
        Its context must be current.
    stream : int
        What it holds.
    """

    def __init__(self, driver: Driver, stream: int) -> None:
        self._driver, self._stream = driver, stream
        self._word = driver.pinned(8).view(np.int64)  # its lower half is what the device reads
        self._seen = driver.device_pointer(self._word.ctypes.data)
        self._spin = 0
        self._parameter = np.array([self._seen], np.int64)
        self._parameters = np.array([self._parameter.ctypes.data], np.int64)
        self.release()

    def release(self) -> None:
        """Open it for good, so that nothing waits behind it any more."""
        self._word[0] = 1

    def shut(self) -> Step:
        """Return the step that shuts it; the stream must be idle."""
        return Step(BUILTINS["store"], (self._word.ctypes.data, 0), "before")

    def hold(self) -> Step:
        """Return the step that queues the wait, by the means that this driver has.

        Raises
        ------
        TransportError
            If it has none.
        """
        self.release()
        wait = self._driver.address("cuStreamWaitValue32_v2", "cuStreamWaitValue32")
        words = self._stream, self._seen, 1, _AT_LEAST
        if not self._spin and self._driver.try_call(wait, *words) == 0:
            return Step(wait, words, "before")
        return Step(self._driver.address("cuLaunchKernel"), self._launch(), "before")

    def open(self) -> Step:
        """Return the step that opens it."""
        return Step(BUILTINS["store"], (self._word.ctypes.data, 1), "timed")

    def _launch(self) -> tuple[int, ...]:
        """Arguments of cuLaunchKernel: function, grid, block, shared bytes, stream, parameters."""
        if not self._spin:
            try:
                self._spin = self._driver.load_kernel(_SPIN, "spin")
            except TransportError as error:
                raise TransportError(
                    "gate: found that the driver refuses cuStreamWaitValue32 and a kernel that "
                    f"spins ({error}), expected either; --metric host needs none"
                ) from error
        place = self._stream, self._parameters.ctypes.data
        return (self._spin, 1, 1, 1, 1, 1, 1, 0, *place, 0)
