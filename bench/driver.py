"""The CUDA driver through ctypes: streams, events, pinned memory, graphs; addresses for call plans.

The driver is the one instance that CuPy and NCCL share: each links a CUDA runtime of its own. Its
handles and the runtime's are the same (the runtime header says so of streams and events). The
calling thread must have a current context, as it has once `device.bind` made CuPy use a device.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DeviceMemoryError, TransportError
from .stub import stub_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Driver", "open_driver"]

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: apart from the legacy default stream
_WITH_TIME = 0  # CU_EVENT_DEFAULT
_MAPPED = 2  # CU_MEMHOSTALLOC_DEVICEMAP
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may call CUDA meanwhile
_OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY


class Driver:
    """One CUDA driver library.

    Parameters
    ----------
    path : str
        Path or name of the library.

    Raises
    ------
    TransportError
        If it cannot be loaded; by the methods, if a call fails.
    """

    def __init__(self, path: str = "libcuda.so.1") -> None:
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise TransportError(f"cuda: found no driver ({error}), expected {path}") from error
        self._names: dict[int, str] = {}

    def address(self, *names: str) -> int:
        """Return the address of the first of these functions that the driver has."""
        for name in names:
            found = getattr(self._library, name, None)
            if found is not None:
                address = int(ctypes.cast(found, ctypes.c_void_p).value or 0)
                self._names[address] = name.removesuffix("_v2")
                return address
        raise TransportError(f"cuda: found no {names[0]} in the driver, expected it")

    def describe(self, code: int, function: int = 0) -> str:
        """Return the driver's text for an error code, after the function's name if it is known."""
        name = self._names.get(function, "")
        text = ctypes.c_char_p()
        self._code("cuGetErrorString", code, ctypes.byref(text))
        said = (text.value or b"unknown error").decode(errors="replace")
        return f"{name}: {said} (CUDA error {code})" if name else f"{said} (CUDA error {code})"

    def try_call(self, address: int, *words: int) -> int:
        """Call a function of integer and pointer arguments; return its code."""
        signature = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * len(words))
        return int(signature(address)(*words))

    def version(self) -> int:
        """Return the CUDA version that the driver supports: 1000 x major + 10 x minor."""
        found = ctypes.c_int()
        self._call("cuDriverGetVersion", ctypes.byref(found))
        return found.value

    def count(self) -> int:
        """Return the number of devices."""
        found = ctypes.c_int()
        self._call("cuInit", 0)
        self._call("cuDeviceGetCount", ctypes.byref(found))
        return found.value

    def free_bytes(self) -> int:
        """Return how much memory of the current device nobody has."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

    def create_stream(self) -> int:
        """Return a new stream that does not wait for the default one."""
        return self._made("cuStreamCreate", _NON_BLOCKING)

    def create_event(self) -> int:
        """Return a new event that takes the time."""
        return self._made("cuEventCreate", _WITH_TIME)

    def synchronise(self, stream: int) -> None:
        """Wait until a stream is idle."""
        self._call("cuStreamSynchronize", stream)

    def record(self, event: int, stream: int) -> None:
        """Queue an event."""
        self._call("cuEventRecord", event, stream)

    def elapsed_ms(self, first: int, last: int) -> float:
        """Return the time between two completed events, in milliseconds."""
        found = ctypes.c_float()
        name = "cuEventElapsedTime_v2"
        name = name if hasattr(self._library, name) else "cuEventElapsedTime"
        self._call(name, ctypes.byref(found), first, last)
        return found.value

    def pinned(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return page-locked host memory that devices can read, zeroed."""
        pointer, size = ctypes.c_void_p(), max(size_bytes, 1)
        code = self._code("cuMemHostAlloc", ctypes.byref(pointer), size, _MAPPED)
        if code == _OUT_OF_MEMORY:
            raise DeviceMemoryError(size_bytes, self.describe(code), "pinned memory for")
        self._check("cuMemHostAlloc", code)
        return self._array(int(pointer.value or 0), size_bytes, "cuMemFreeHost")

    def device_pointer(self, host: int) -> int:
        """Return the address under which devices see pinned memory."""
        pointer = ctypes.c_void_p()
        self._call("cuMemHostGetDevicePointer_v2", ctypes.byref(pointer), host, 0)
        return int(pointer.value or 0)

    def allocate(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return device memory as an array: of a stub only, whose device memory is the host's."""
        pointer = ctypes.c_void_p()
        code = self._code("cuMemAlloc_v2", ctypes.byref(pointer), size_bytes)
        if code == _OUT_OF_MEMORY:
            raise DeviceMemoryError(size_bytes, self.describe(code))
        self._check("cuMemAlloc_v2", code)
        return self._array(int(pointer.value or 0), size_bytes, "cuMemFree_v2")

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Return an executable graph of what `work` queues on a stream."""
        graph = ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", stream, _THREAD_LOCAL)
        try:
            work()
        finally:
            code = self._code("cuStreamEndCapture", stream, ctypes.byref(graph))
        self._check("cuStreamEndCapture", code)
        executable = self._made("cuGraphInstantiateWithFlags", int(graph.value or 0), 0)
        self._call("cuGraphDestroy", int(graph.value or 0))
        return executable

    def load_kernel(self, ptx: bytes, name: str) -> int:
        """Return a kernel of PTX text, compiled by the driver; it stays until the process ends."""
        return self._made("cuModuleGetFunction", self._made("cuModuleLoadData", ptx), name.encode())

    def destroy_stream(self, stream: int) -> None:
        """Free a stream once what is queued on it is done."""
        self._call("cuStreamDestroy_v2", stream)

    def destroy_event(self, event: int) -> None:
        """Free an event."""
        self._call("cuEventDestroy_v2", event)

    def destroy_graph(self, executable: int) -> None:
        """Free an executable graph."""
        self._call("cuGraphExecDestroy", executable)

    def _made(self, name: str, *words: int | bytes) -> int:
        """Call a function whose first argument is where the new handle goes."""
        made = ctypes.c_void_p()
        self._call(name, ctypes.byref(made), *words)
        return int(made.value or 0)

    def _array(self, pointer: int, size_bytes: int, free: str) -> NDArray[np.uint8]:
        region = (ctypes.c_uint8 * size_bytes).from_address(pointer)
        weakref.finalize(region, self._code, free, pointer).atexit = False
        array: NDArray[np.uint8] = np.ctypeslib.as_array(region)
        array[...] = 0
        return array

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(name, self._code(name, *arguments))

    def _code(self, name: str, *arguments: Any) -> int:
        words = [ctypes.c_int64(a) if isinstance(a, int) else a for a in arguments]
        return int(getattr(self._library, name)(*words))

    def _check(self, name: str, code: int) -> None:
        if code:
            raise TransportError(f"cuda: {name}: found {self.describe(code)}, expected success")


def open_driver() -> Driver:
    """Return the driver of this process: the stub's where one is asked for.

    Raises
    ------
    TransportError
        If there is none.
    """
    return _opened(stub_path() or "libcuda.so.1")


@cache
def _opened(path: str) -> Driver:
    return Driver(path)
