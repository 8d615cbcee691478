"""Fixtures that all tests share."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Done = subprocess.CompletedProcess[str]


@pytest.fixture
def validation_data() -> Path:
    """The folder of public measurements that COLLCAST_DATA names; skips without it."""
    folder = os.environ.get("COLLCAST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("COLLCAST_DATA names no folder of validation data")
    return Path(folder)


@pytest.fixture(scope="session")
def mpi_environment() -> dict[str, str]:
    """Variables with which mpirun runs here: as root, and with more ranks than cores."""
    return {
        **os.environ,
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "MPIR_CVAR_NOLOCAL": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture
def shell(mpi_environment: dict[str, str], tmp_path: Path) -> Callable[[str], Done]:
    """A function that runs a command line in an empty folder, as a user would."""

    def run(command: str, **variables: str) -> Done:
        return subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**mpi_environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A function (name, source) -> path of a shared library."""
    folder = tmp_path_factory.mktemp("c")

    def compile_(name: str, source: str) -> Path:
        (folder / f"{name}.c").write_text(source, encoding="utf-8")
        library = folder / f"{name}.so"
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", library, folder / f"{name}.c"], check=True
        )
        return library

    return compile_


@pytest.fixture(scope="session")
def gpu_stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stub of libcuda and libnccl; COLLCAST_STUB takes its path."""
    return _build_stub(tmp_path_factory.mktemp("stub") / "stub.so")


@pytest.fixture(scope="session")
def old_gpu_stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without ncclAlltoAll (NCCL 2.28) and ncclCommSplit (2.18)."""
    library = tmp_path_factory.mktemp("stub") / "old.so"
    return _build_stub(library, "-DSTUB_NO_ALLTOALL", "-DSTUB_NO_SPLIT")


def _build_stub(library: Path, *flags: str) -> Path:
    sources = sorted((Path(__file__).parent / "stub").glob("*.c"))
    command = ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", *flags]
    subprocess.run([*command, "-o", library, *sources, "-lrt", "-lm"], check=True)
    return library
