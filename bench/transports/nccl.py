"""NCCL's collectives as steps on a stream of their own.

Each call queues its operation and returns; `arrange` says how that is timed. NCCL has no barrier:
what is measured under that name is an all-reduce of one int32. Where the library has no
ncclAlltoAll (before 2.28), all_to_all is a group of sends and receives, which is also what later
ones do for plain buffers. RCCL has the same symbols; it was never tried.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

from ...native import Step
from ..arrangement import Arrangement, Queue
from ..buffers import pointer_of
from ..collectives import TABLE
from ..counts import counts_of, displacements
from ..driver import Driver, open_driver
from ..errors import TransportError
from ..nccl import open_communicator
from ..stub import stub_path
from ..support import NCCL_REDUCES, refusal
from .memcpy import device_copy
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ..buffers import Buffers
    from ..case import Case
    from ..nccl.communicator import Provider
    from ..protocol import Protocol

__all__ = ["TYPES", "NcclTransport"]

TYPES = {
    "int8": 0,
    "uint8": 1,
    "int32": 2,
    "uint32": 3,
    "int64": 4,
    "uint64": 5,
    "float16": 6,
    "float32": 7,
    "float64": 8,
    "bfloat16": 9,
    "float8_e4m3": 10,
    "float8_e5m2": 11,
}
"""ncclDataType_t of every dtype that NCCL has, by our name."""

_OPERATIONS = {"sum": 0, "prod": 1, "max": 2, "min": 3, "avg": 4}  # ncclRedOp_t

_OF_WIDTH = {1: "uint8", 2: "float16", 4: "int32", 8: "int64"}
_End = tuple[int, int, int]  # address, peer, count: one end of a send or a receive

# The function of each collective and its arguments, in NCCL's order.
_CALLS = {
    "all_reduce": ("ncclAllReduce", "send receive count type op comm stream"),
    "reduce_scatter": ("ncclReduceScatter", "send receive count type op comm stream"),
    "all_gather": ("ncclAllGather", "send receive count type comm stream"),
    "broadcast": ("ncclBroadcast", "send receive count type root comm stream"),
    "all_to_all": ("ncclAlltoAll", "send receive count type comm stream"),
}
_NOT_IN_PLACE = {
    "all_to_all",
    "all_to_allv",
    "send_recv",
}  # sends would read what receives have written


class NcclTransport(Transport):
    """Collectives of an NCCL communicator of the same ranks as an mpi4py communicator. Collective.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    driver : Driver, optional
        The CUDA driver; tests give a stub's.
    provider : Provider, optional
        Who makes the communicator; the best that is there by default.
    together : mpi4py.MPI.Comm, optional
        Of several groups that measure at once, `communicator` being a block of it.

    Raises
    ------
    TransportError
        If there is no NCCL; by `operation`, where NCCL cannot do what the case asks for.
    """

    name = "nccl"

    def __init__(
        self,
        communicator: Any,
        driver: Driver | None = None,
        provider: Provider | None = None,
        together: Any = None,
    ) -> None:
        self._ranks, self._rank = communicator.size, communicator.rank
        self._driver = driver or open_driver()
        self._queue = Queue(self._driver)
        self._nccl = open_communicator(communicator, provider, together)
        self._library = self._nccl.library
        major, minor = self._library.version.split(".")[:2]
        self._version = int(major), int(minor)

    @property
    def version(self) -> str:
        """Version of the library and who made the communicator."""
        stub = "stub " if stub_path() else ""
        return f"{stub}{self._library.version} ({self._nccl.provider})"

    @property
    def timer_resolution_ns(self) -> float:
        """Smallest step of the device's times, measured."""
        return self._queue.resolution_ns()

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps that queue one operation."""
        if refused := self._refusal(case):
            raise TransportError(refused)
        words = {
            "send": pointer_of(buffers.send),
            "receive": pointer_of(buffers.receive),
            "count": case.elements // (self._ranks if TABLE[case.collective].blocks else 1),
            "type": self._type(case),
            "op": _OPERATIONS[case.operation],
            "root": case.root,
            "comm": self._nccl.pointer,
            "stream": self._queue.stream,
        }
        if case.collective == "barrier":
            words |= {"send": words["receive"], "count": 1, "type": TYPES["int32"], "op": 0}
            return (self._step(*_CALLS["all_reduce"], words),)
        if case.collective == "copy":
            places = words["receive"], words["send"], case.message_bytes
            return (device_copy(self._driver, *places, words["stream"]),)
        if case.collective == "send_recv":
            to, source = (self._rank + 1) % self._ranks, (self._rank - 1) % self._ranks
            count = words["count"]
            return self._group(
                [(words["send"], to, count)], [(words["receive"], source, count)], words
            )
        if case.collective == "all_to_allv":
            return self._uneven(case, words)
        if case.collective == "all_to_all" and not self._library.has("ncclAlltoAll"):
            block = words["count"] * case.element_bytes
            sends, receives = (
                [(words[name] + peer * block, peer, words["count"]) for peer in range(self._ranks)]
                for name in ("send", "receive")
            )
            return self._group(sends, receives, words)
        return (self._step(*_CALLS[case.collective], words),)

    def arrange(self, operation: tuple[Step, ...], protocol: Protocol) -> Arrangement:
        """Return how an operation is timed."""
        self._queue.forget_graphs()
        return self._queue.arrange(operation, protocol)

    def describe(self, code: int, function: int = 0) -> str:
        """Return a text for an error code of NCCL or of the driver, with the function's name."""
        name = self._library.name_of(function)
        if name:
            return f"{name}: {self._library.describe(code, self._nccl.pointer)}"
        return self._driver.describe(code, function)

    def allocate(self, size_bytes: int) -> Any:
        """Return memory that can be registered as a window, an array of uint8."""
        return _wrap(self._library.allocate(size_bytes), size_bytes, self._library.free)

    def register(self, regions: tuple[Any, ...], kind: str) -> None:
        """Make buffers known to NCCL. Collective.

        Parameters
        ----------
        regions : arrays
        kind : ``buffer`` or ``window``; the latter needs memory of `allocate`
        """
        for region in regions:
            self._library.register(self._nccl.pointer, pointer_of(region), region.nbytes, kind)

    def failure(self) -> str:
        """Return why what is queued cannot end, such as a rank that died; "" if it can."""
        reason = self._nccl.failure()
        return f"ncclCommGetAsyncError: {reason}" if reason else ""

    def abort(self) -> None:
        """End the communicator, whatever its kernels do; nothing stays behind the gate.

        NCCL waits for graphs of its operations to be freed, here as in `close`, and for ever.
        """
        self._queue.release()
        self._queue.forget_graphs()
        self._nccl.close(abort=True)

    def close(self) -> None:
        """End the communicator, then its stream; collective."""
        self._queue.forget_graphs()
        self._nccl.close()
        self._queue.close()

    def _refusal(self, case: Case) -> str:
        """Why NCCL cannot do what a case asks for; "" if it can."""
        if case.placement == "in_place" and case.collective in _NOT_IN_PLACE:
            return (
                f"nccl: found {case.collective} in place, expected --placement out_of_place: NCCL "
                "has no such operation"
            )
        return refusal(case, self._version)

    def _type(self, case: Case) -> int:
        """NCCL's type; where it has none, what is only moved goes as one of the same width."""
        known = case.dtype in NCCL_REDUCES and NCCL_REDUCES[case.dtype] <= self._version
        return TYPES[case.dtype if known else _OF_WIDTH[case.element_bytes]]

    def _uneven(self, case: Case, words: dict[str, int]) -> tuple[Step, ...]:
        """The steps of an all-to-all whose counts differ; nothing is sent where nothing is due."""
        counts = counts_of(case, self._ranks)

        def ends(name: str, side: NDArray[np.int64]) -> list[_End]:
            starts = words[name] + displacements(side) * case.element_bytes
            triples = zip(starts.tolist(), range(self._ranks), side.tolist(), strict=True)
            return [(start, peer, count) for start, peer, count in triples if count]

        sends = ends("send", counts[self._rank])
        return self._group(sends, ends("receive", counts[:, self._rank]), words)

    def _group(
        self, sends: list[_End], receives: list[_End], words: dict[str, int]
    ) -> tuple[Step, ...]:
        """Sends and receives that make progress together."""
        order = "at count type peer comm stream"
        steps = [self._step("ncclGroupStart", "", words)]
        for name, ends in (("ncclSend", sends), ("ncclRecv", receives)):
            steps += [
                self._step(name, order, words | {"at": at, "peer": peer, "count": count})
                for at, peer, count in ends
            ]
        return (*steps, self._step("ncclGroupEnd", "", words))

    def _step(self, function: str, arguments: str, words: dict[str, int]) -> Step:
        chosen = tuple(words[word] for word in arguments.split())
        return Step(self._library.address(function), chosen, "timed")


def _wrap(pointer: int, size_bytes: int, free: Callable[[int], None]) -> Any:
    """An array on memory that NCCL allocated, freed when the last view of it is gone."""
    region = (ctypes.c_uint8 * size_bytes).from_address(
        pointer
    )  # not touched: it may be a device's
    weakref.finalize(region, free, pointer).atexit = False
    if stub_path():
        import numpy as np

        return np.ctypeslib.as_array(region)
    import cupy

    memory = cupy.cuda.UnownedMemory(pointer, size_bytes, owner=region)
    array = cupy.ndarray((size_bytes,), cupy.uint8, cupy.cuda.MemoryPointer(memory, 0))
    array[...] = 0
    return array
