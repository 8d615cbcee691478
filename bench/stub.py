"""A stand-in for the GPU: one library with the symbols of the CUDA driver and of NCCL, for tests.

Its device memory is host memory. A launch that used it says so: its device is named `STUB`, and its
figures carry a label that keeps them out of every fit.
"""

from __future__ import annotations

import os

__all__ = ["STUB", "STUB_VARIABLE", "stub_path"]

STUB_VARIABLE = "COLLCAST_STUB"
"""Environment variable that names the library."""

STUB = "stub"
"""Name of its device, and of the label."""


def stub_path() -> str:
    """Return the stub's path, "" where none is asked for."""
    return os.environ.get(STUB_VARIABLE, "")
