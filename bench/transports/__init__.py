"""Ways through which ranks communicate, behind one small class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import TransportError
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Transport", "open_transport"]


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
