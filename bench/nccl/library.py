"""libnccl through ctypes: addresses for call plans, texts of errors, registered memory.

Signatures are those of nccl.h. Nothing here is called inside a timed loop.
"""

from __future__ import annotations

import ctypes
from typing import Any

from ..errors import DeviceMemoryError, TransportError

__all__ = ["NcclLibrary", "UniqueId"]

_SYMMETRIC = 1  # NCCL_WIN_COLL_SYMMETRIC
_IN_PROGRESS = 7  # ncclInProgress
_CUDA_ERROR = 1  # ncclUnhandledCudaError: what ncclMemAlloc returns where there is no room


class UniqueId(ctypes.Structure):
    """ncclUniqueId, which ncclCommInitRank takes by value."""

    _fields_ = (("internal", ctypes.c_char * 128),)


class NcclLibrary:
    """One loaded libnccl.

    Parameters
    ----------
    path : str
        The file that the communicators come from: two copies know nothing of each other.

    Raises
    ------
    TransportError
        If it cannot be loaded; by the methods, if a call fails.
    """

    def __init__(self, path: str) -> None:
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise TransportError(f"nccl: found no library ({error}), expected {path}") from error
        self.path = path
        self._library.ncclGetErrorString.restype = ctypes.c_char_p
        self._addresses: dict[int, str] = {}

    def has(self, function: str) -> bool:
        """Tell whether the library has a function."""
        return hasattr(self._library, function)

    def address(self, function: str) -> int:
        """Return the address of a function."""
        if not self.has(function):
            raise TransportError(f"nccl: found no {function} in {self.path}, expected it")
        found = ctypes.cast(getattr(self._library, function), ctypes.c_void_p).value or 0
        self._addresses[found] = function
        return found

    def name_of(self, address: int) -> str:
        """Return the name of a function whose address was asked for, "" if none was."""
        return self._addresses.get(address, "")

    @property
    def version(self) -> str:
        """The library's version, such as 2.30.7."""
        number = ctypes.c_int()
        self.call("ncclGetVersion", ctypes.byref(number))
        code = number.value  # X 10000 + Y 100 + Z; up to 2.8 X 1000 + Y 100 + Z
        unit = 10_000 if code >= 10_000 else 1_000
        return f"{code // unit}.{code % unit // 100}.{code % 100}"

    def describe(self, code: int, communicator: int = 0) -> str:
        """Return the library's text for a result code, with what it last complained of."""
        text = (self._library.ncclGetErrorString(code) or b"").decode(errors="replace")
        last = ""
        if self.has("ncclGetLastError"):  # since 2.13
            function = self._library.ncclGetLastError
            function.restype = ctypes.c_char_p
            last = (function(ctypes.c_void_p(communicator)) or b"").decode(errors="replace")
        more = f": {' '.join(last.split())}" if last.strip() else ""
        return f"{text} (NCCL result {code}){more}"

    def asynchronous_error(self, communicator: int) -> str:
        """Return what went wrong since an operation was queued, "" if nothing did."""
        code = ctypes.c_int()
        self.call("ncclCommGetAsyncError", communicator, ctypes.byref(code))
        return "" if code.value in {0, _IN_PROGRESS} else self.describe(code.value, communicator)

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that returns a result code."""
        words = [ctypes.c_int64(a) if isinstance(a, int) else a for a in arguments]
        code = int(getattr(self._library, function)(*words)) if self.has(function) else -1
        if code < 0:
            raise TransportError(f"nccl: found no {function} in {self.path}, expected it")
        if code:
            raise TransportError(f"nccl: {function}: found {self.describe(code)}, expected success")

    def allocate(self, size_bytes: int) -> int:
        """Return the address of memory that may be registered as a window."""
        pointer = ctypes.c_void_p()
        code = int(self._library.ncclMemAlloc(ctypes.byref(pointer), ctypes.c_size_t(size_bytes)))
        if code == _CUDA_ERROR:
            raise DeviceMemoryError(size_bytes, self.describe(code))
        if code:
            raise TransportError(f"nccl: ncclMemAlloc: found {self.describe(code)}")
        return int(pointer.value or 0)

    def free(self, pointer: int) -> None:
        """Give back memory of `allocate`."""
        self._library.ncclMemFree(ctypes.c_void_p(pointer))

    def register(self, communicator: int, pointer: int, size_bytes: int, kind: str) -> None:
        """Register memory: kind ``buffer`` (local) or ``window`` (symmetric; collective)."""
        handle = ctypes.c_void_p()
        name = "ncclCommWindowRegister" if kind == "window" else "ncclCommRegister"
        more = (_SYMMETRIC,) if kind == "window" else ()
        self.call(name, communicator, pointer, size_bytes, ctypes.byref(handle), *more)
