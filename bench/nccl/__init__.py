"""NCCL (or a library of the same symbols, such as RCCL: untested): life cycle and addresses."""

from __future__ import annotations

from .communicator import (
    FIRST_SHARING,
    SHARING,
    NcclCommunicator,
    open_communicator,
    open_provider,
)
from .library import NcclLibrary

__all__ = [
    "FIRST_SHARING",
    "SHARING",
    "NcclCommunicator",
    "NcclLibrary",
    "open_communicator",
    "open_provider",
]
