"""The life of an NCCL communicator: nccl4py, else CuPy, else the bare library.

Rank 0 makes the unique id, MPI broadcasts it, all ranks join; call plans then hold the pointer.
Groups that measure at once are split from a communicator of all of them (ncclCommSplit, NCCL 2.18),
as frameworks make theirs; where there is no split, each has a unique id of its own.
"""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import MeasurementError, TransportError
from ..host import mapped_library
from ..stub import stub_path
from .library import NcclLibrary, UniqueId

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FIRST_SHARING",
    "SHARING",
    "NcclCommunicator",
    "Provider",
    "open_communicator",
    "open_provider",
]

SHARING = "NCCL_MULTI_RANK_GPU_ENABLE"
"""Environment variable that lets several ranks share a GPU."""

FIRST_SHARING = (2, 30)
"""First version that has it."""


class Provider(Protocol):
    """Who makes communicators: a name, the library they belong to, and what makes them."""

    name: str
    library: NcclLibrary

    def make_id(self) -> Any:
        """Return a new unique id as the provider takes it; it can be pickled."""
        ...

    def join(self, ranks: int, rank: int, unique_id: Any) -> Joined:
        """Return a communicator of all ranks. Collective."""
        ...


@dataclass(frozen=True, slots=True)
class Joined:
    """A communicator as its provider made it."""

    pointer: int
    end: Callable[[bool], None]
    """Ends it; True: aborts."""

    split: Callable[[int, int], Joined] | None = None
    """Returns that of the ranks that give the same color, in order of their keys; collective."""


@dataclass(slots=True)
class NcclCommunicator:
    """A communicator of all ranks of an mpi4py communicator."""

    pointer: int
    library: NcclLibrary
    provider: str
    """``nccl4py``, ``cupy`` or ``ctypes``."""

    _ends: tuple[Callable[[bool], None], ...]
    _asked: threading.Lock = field(default_factory=threading.Lock)

    def failure(self) -> str:
        """Return why an operation that was queued cannot end, "" if it can; for any thread."""
        with self._asked:  # so that it is not ended meanwhile
            return self.library.asynchronous_error(self.pointer) if self.pointer else ""

    def close(self, *, abort: bool = False) -> None:
        """End it; with `abort`, whatever its kernels do. Not collective then."""
        with self._asked:
            had, self.pointer = self.pointer, 0
        for end in self._ends if had else ():
            end(abort)


def open_communicator(
    communicator: Any, provider: Provider | None = None, together: Any = None
) -> NcclCommunicator:
    """Return an NCCL communicator of the same ranks in the same order. Collective.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    provider : the best that is there by default
    together : mpi4py.MPI.Comm, optional
        Of several groups that measure at once, `communicator` being a block of it.

    Raises
    ------
    TransportError
        If there is no NCCL, or it is too old for ranks that share a GPU.
    MeasurementError
        If it refuses; names the rank.
    """
    found = provider or open_provider()
    if together is None or not found.library.has("ncclCommSplit"):
        own = _joined(found, communicator)
        return NcclCommunicator(own.pointer, found.library, found.name, (own.end,))
    whole = _joined(found, together)
    if whole.split is None:
        whole.end(False)
        return open_communicator(communicator, found)
    own = whole.split(together.rank // communicator.size, communicator.rank)
    return NcclCommunicator(own.pointer, found.library, found.name, (own.end, whole.end))


def _joined(provider: Provider, communicator: Any) -> Joined:
    ranks, rank = communicator.size, communicator.rank
    shared = ranks > 1 and os.environ.get(SHARING) == "1"
    version = provider.library.version
    if shared and tuple(map(int, version.split(".")[:2])) < FIRST_SHARING:
        raise TransportError(
            f"nccl: found version {version} and several ranks on a GPU, expected 2.30 or later for "
            "these; --transport staged does it with any"
        )
    try:
        unique_id = communicator.bcast(provider.make_id() if rank == 0 else None)
        return provider.join(ranks, rank, unique_id)
    except Exception as error:  # each provider has its own
        raise MeasurementError(
            f"nccl: communicator of {ranks} ranks: rank {rank}: {error}"
        ) from error


def open_provider() -> Provider:
    """Return the best provider of this process.

    Raises
    ------
    TransportError
        If neither nccl4py nor CuPy brings an NCCL.
    """
    if stub_path():
        return CtypesProvider(stub_path())
    reasons = []
    for kind in (Nccl4pyProvider, CupyProvider):
        try:
            return kind()
        except Exception as error:  # neither names the errors of a missing library
            reasons.append(f"{kind.name}: {' '.join(str(error).split())}")
    raise TransportError(f"nccl: found none ({'; '.join(reasons)}), expected an NCCL; see doctor")


class Nccl4pyProvider:
    """NVIDIA's binding. `init` needs ncclCommInitRankScalable (NCCL 2.23): older ones fail."""

    name = "nccl4py"

    def __init__(self) -> None:
        import nccl.core

        self._core = nccl.core
        found = nccl.core.get_version().libnccl
        if found is None:
            raise TransportError("found no libnccl")
        self.library = NcclLibrary(str(found.path))
        self.library.address("ncclCommInitRankScalable")

    def make_id(self) -> bytes:
        """Return a new unique id."""
        return bytes(self._core.get_unique_id().as_bytes)

    def join(self, ranks: int, rank: int, unique_id: bytes) -> Joined:
        """Join; collective."""
        core = self._core
        unique = core.UniqueId.from_bytes(unique_id)
        return self._joined(core.Communicator.init(ranks, rank, unique, self._config()))

    def _config(self) -> Any:
        """Blocking; the rest is NCCL's own choice, or that of its environment variables."""
        return self._core.NCCLConfig(blocking=True)

    def _joined(self, made: Any) -> Joined:
        return Joined(
            int(made.ptr),
            lambda abort: made.abort() if abort else made.destroy(),
            lambda color, key: self._joined(made.split(color, key, self._config())),
        )


class CupyProvider:
    """CuPy's binding; its library is the libnccl that it mapped into this process."""

    name = "cupy"

    def __init__(self) -> None:
        import cupy.cuda.nccl

        self._nccl = cupy.cuda.nccl
        self._nccl.get_version()
        path = mapped_library("libnccl.so")
        if not path:
            raise TransportError("found no libnccl.so in this process")
        self.library = NcclLibrary(path)

    def make_id(self) -> Any:
        """Return a new unique id: bytes, or in older versions a tuple of signed characters."""
        return self._nccl.get_unique_id()

    def join(self, ranks: int, rank: int, unique_id: Any) -> Joined:
        """Join; collective."""
        return self._joined(self._nccl.NcclCommunicator(ranks, unique_id, rank))

    def _joined(self, made: Any) -> Joined:
        def split(color: int, key: int) -> Joined:
            return self._joined(made.commSplit(color, key))

        return Joined(
            int(made.comm),
            lambda abort: made.abort() if abort else made.destroy(),
            split if hasattr(made, "commSplit") else None,  # since CuPy 14
        )


class CtypesProvider:
    """The library alone: a stub, or one that has no Python binding."""

    name = "ctypes"

    def __init__(self, path: str) -> None:
        self.library = NcclLibrary(path)

    def make_id(self) -> bytes:
        """Return a new unique id."""
        made = UniqueId()
        self.library.call("ncclGetUniqueId", ctypes.byref(made))
        return ctypes.string_at(ctypes.byref(made), ctypes.sizeof(made))

    def join(self, ranks: int, rank: int, unique_id: bytes) -> Joined:
        """Join; collective."""
        made = ctypes.c_void_p()
        by_value = UniqueId.from_buffer_copy(unique_id)
        self.library.call("ncclCommInitRank", ctypes.byref(made), ranks, by_value, rank)
        return self._joined(int(made.value or 0))

    def _joined(self, pointer: int) -> Joined:
        def end(abort: bool) -> None:
            self.library.call("ncclCommAbort" if abort else "ncclCommDestroy", pointer)

        def split(color: int, key: int) -> Joined:
            made, inherited = ctypes.c_void_p(), 0
            words = pointer, color, key, ctypes.byref(made), inherited
            self.library.call("ncclCommSplit", *words)
            return self._joined(int(made.value or 0))

        return Joined(pointer, end, split)
