"""Every test here runs on all ranks of one mpiexec at the same time."""

from __future__ import annotations

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
from collcast.bench.transports import open_transport

if TYPE_CHECKING:
    from collections.abc import Callable


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
