"""Every test here runs on all ranks of one mpiexec at the same time."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.buffers import BufferPool
from collcast.bench.clock import CommonClock
from collcast.bench.launcher import launched_rank
from collcast.bench.measure import Session
from collcast.bench.mpi import load_mpi
from collcast.bench.protocol import Protocol
from collcast.bench.stub import STUB_VARIABLE
from collcast.bench.transports import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGGED = 1 << 17  # calls that the stub remembers


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A folder of its own for every rank: pytest's clean-up of a common one races."""
    if launched_rank(os.environ) is not None and config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="collcast-test-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if launched_rank(os.environ) is not None and config.option.basetemp is not None:
        shutil.rmtree(config.option.basetemp, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/mpi/" in str(item.path):
            item.add_marker(pytest.mark.mpi)


@pytest.fixture
def world() -> Any:
    """A communicator of all ranks, its own for every test."""
    communicator = load_mpi().COMM_WORLD.Dup()
    communicator.Barrier()
    yield communicator
    communicator.Free()


@pytest.fixture
def session(world: Any) -> Callable[..., Session]:
    """A function (largest bytes, protocol fields) -> Session on host buffers."""

    def make(largest_bytes: int = 1 << 16, **protocol: Any) -> Session:
        return Session(
            communicator=world,
            transports={"mpi": open_transport("mpi", world)},
            pool=BufferPool(largest_bytes, "host"),
            protocol=Protocol(**{"repetitions": 5, "warmup": 2, **protocol}),
            clock=CommonClock(world, ["host"] * world.size),
            launch=0,
        )

    return make


@pytest.fixture
def stub_session(
    world: Any, gpu_stub: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Session]]:
    """A function (transport, protocol fields) -> Session on the stub's device memory."""
    monkeypatch.setenv(STUB_VARIABLE, str(gpu_stub))
    monkeypatch.setenv("STUB_DELAY_US", "100")
    opened: list[Any] = []

    def make(
        name: str = "nccl", communicator: Any = None, largest_bytes: int = 1 << 16, **protocol: Any
    ) -> Session:
        communicator = communicator or world
        chunk = protocol.get("staging_chunk_bytes", 0)
        opened.append(open_transport(name, communicator, (), chunk))
        return Session(
            communicator=communicator,
            transports={name: opened[-1]},
            pool=BufferPool(largest_bytes, "device"),
            protocol=Protocol(**{"repetitions": 3, "warmup": 1, **protocol}),
            clock=CommonClock(communicator, ["host"] * communicator.size),
            launch=0,
        )

    yield make
    for transport in opened:
        transport.close()


@pytest.fixture
def stub_log(gpu_stub: Path) -> Callable[[], list[str]]:
    """A function that returns the names of the stub's calls so far, oldest first."""

    class Call(ctypes.Structure):
        _fields_ = (
            ("name", ctypes.c_char_p), ("count", ctypes.c_int64), ("words", ctypes.c_int64 * 8),
        )  # fmt: skip

    library = ctypes.CDLL(str(gpu_stub))

    def read() -> list[str]:
        count = ctypes.c_int64.in_dll(library, "stub_calls").value
        log = (Call * LOGGED).in_dll(library, "stub_log")
        first = max(count - LOGGED, 0)
        return [log[i % LOGGED].name.decode() for i in range(first, count)]

    return read
