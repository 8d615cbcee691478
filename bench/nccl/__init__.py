"""NCCL (or a library of the same symbols, such as RCCL: untested): life cycle and addresses."""

from __future__ import annotations

from .communicator import NcclCommunicator, open_communicator, open_provider
from .library import NcclLibrary

__all__ = ["NcclCommunicator", "NcclLibrary", "open_communicator", "open_provider"]
