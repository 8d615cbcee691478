"""Ways through which ranks communicate, behind one small protocol.

A transport turns a case into steps of a call plan; it never runs them. One whose calls only queue
work also has `arrange` (how that is timed), `failure` (why it cannot end), `abort` and `close`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ..errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...native import Step
    from ..buffers import Buffers
    from ..case import Case

__all__ = ["Transport", "open_transport"]


class Transport(Protocol):
    """What the measuring code needs of a transport."""

    name: str

    def operation(self, case: Case, buffers: Buffers) -> tuple[Step, ...]:
        """Return the steps of one operation, groups ``timed`` and ``complete``."""
        ...

    def describe(self, code: int, function: int = 0) -> str:
        """Return the library's text for an error code that a function, by address, returned."""
        ...


def open_transport(
    name: str,
    communicator: Any,
    hosts: Sequence[str] = (),
    staging_chunk_bytes: int = 0,
    together: Any = None,
) -> Transport:
    """Return a transport on an mpi4py communicator.

    Parameters
    ----------
    hosts
        Host of every rank, for algorithms that work node by node; empty where all share one.
    staging_chunk_bytes
        As `StagedTransport` takes it.
    together
        As `NcclTransport` takes it.

    Raises
    ------
    TransportError
        If it is not available here.
    """
    if name == "mpi":
        from .mpi import MpiTransport

        return MpiTransport(communicator, hosts)
    if name == "staged":
        from .staged import StagedTransport

        return StagedTransport(communicator, hosts=hosts, chunk_bytes=staging_chunk_bytes)
    if name == "nccl":
        from .nccl import NcclTransport

        return NcclTransport(communicator, together=together)
    raise TransportError(f"transport: found {name}, expected mpi, staged or nccl")
