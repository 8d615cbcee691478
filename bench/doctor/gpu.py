"""GPUs, as far as they can be used from here."""

from __future__ import annotations

from importlib.util import find_spec

from ..device import device_count
from .check import Check

__all__ = ["check_gpu"]


def check_gpu() -> list[Check]:
    """Return whether CuPy finds devices."""
    count = device_count()
    if count:
        return [Check(name="gpu", state="ok", detail=f"{count} CUDA devices")]
    if find_spec("cupy") is None:
        fix = 'for a GPU: pip install "collcast[cuda12]" or "collcast[cuda13]"'
        return [Check(name="gpu", state="missing", detail="no CuPy", fix=fix)]
    fix = "nvidia-smi says whether the driver sees one"
    return [Check(name="gpu", state="missing", detail="CuPy finds no device", fix=fix)]
