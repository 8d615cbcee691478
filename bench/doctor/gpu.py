"""GPUs and their libraries: the driver, CuPy, NCCL, and whether this MPI reads device memory."""

from __future__ import annotations

from importlib.util import find_spec

from ..canary import try_device_pointers
from ..device import device_count
from ..driver import open_driver
from ..errors import CollcastError, TransportError
from ..nccl import FIRST_SHARING, open_provider
from ..stub import STUB_VARIABLE, stub_path
from .check import Check

__all__ = ["check_gpu"]

_EXTRA = 'pip install "collcast[cuda12]" or "collcast[cuda13]"'


def check_gpu() -> list[Check]:
    """Return what is there of a GPU and of what reaches it, each with the reason if it is not."""
    found = [_check_driver(), _check_cupy(), _check_nccl()]
    if stub_path():
        fix = f"unset {STUB_VARIABLE}, unless this is a test: no figure will be a GPU's"
        found.append(Check(name="gpu stub", state="warning", detail=stub_path(), fix=fix))
    return [*found, _check_mpi()]


def _check_driver() -> Check:
    name = "cuda driver"
    try:
        driver = open_driver()
        count, version = driver.count(), driver.version()
    except TransportError as error:
        fix = "on a machine with an NVIDIA GPU: install its driver; nvidia-smi then lists the GPU"
        return Check(name=name, state="missing", detail=str(error), fix=fix)
    detail = f"{count} devices, CUDA {version // 1000}.{version % 1000 // 10}"
    return Check(name=name, state="ok" if count else "missing", detail=detail)


def _check_cupy() -> Check:
    if find_spec("cupy") is None:
        return Check(
            name="cupy", state="missing", detail="not installed", fix=f"for a GPU: {_EXTRA}"
        )
    count = device_count()
    if count:
        return Check(name="cupy", state="ok", detail=f"finds {count} devices")
    fix = "nvidia-smi says whether the driver sees a device"
    return Check(name="cupy", state="missing", detail="finds no device", fix=fix)


def _check_nccl() -> Check:
    try:
        provider = open_provider()
        version = provider.library.version
    except CollcastError as error:
        return Check(name="nccl", state="missing", detail=str(error), fix=f"for a GPU: {_EXTRA}")
    detail = f"{version} through {provider.name}, {provider.library.path}"
    major, minor = version.split(".")[:2]
    if (int(major), int(minor)) < FIRST_SHARING:
        detail += "; one rank per GPU (several need 2.30)"
    return Check(name="nccl", state="ok", detail=detail)


def _check_mpi() -> Check:
    name = "gpu-aware mpi"
    if device_count() == 0:
        return Check(name=name, state="missing", detail="not tried: no device")
    try:
        found = try_device_pointers()
    except CollcastError as error:
        return Check(name=name, state="missing", detail=f"not tried: {error}")
    fix = "" if found.fine else "--transport staged copies through the host instead"
    return Check(name=name, state="ok" if found.fine else "missing", detail=found.reason, fix=fix)
