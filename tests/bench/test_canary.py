"""The canary: whatever becomes of the child is an answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.canary import expect_device_pointers, try_device_pointers
from collcast.bench.errors import TransportError
from collcast.bench.store import read_campaign

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import os; os.kill(os.getpid(), 11)", "it crashed: SIGSEGV"),
        ("raise SystemExit(139)", "it crashed: SIGSEGV"),
        ("raise SystemExit(7)", "exit status 7"),
        ("import time; time.sleep(60)", "it hung for 1 s"),
        ("print('canary: 3 elements of all_reduce of 8 B were wrong'); raise SystemExit(1)",
         "3 elements of all_reduce of 8 B were wrong"),
        ("print('nothing')", "exit status 0"),
    ],
)  # fmt: skip
def test_what_becomes_of_the_child_is_the_reason(script: str, reason: str) -> None:
    found = try_device_pointers(
        [sys.executable, "-c", script], seconds=1 if "sleep" in script else 60
    )
    assert (found.fine, found.reason) == (False, reason)


def test_a_child_that_cannot_start_is_an_answer() -> None:
    assert "did not start" in try_device_pointers(["/nonexistent/mpiexec"]).reason


def test_without_a_device_the_canary_is_not_sent() -> None:
    with pytest.raises(TransportError, match="found no CUDA device"):
        expect_device_pointers()


def test_mpi_on_device_memory_is_measured_where_the_canary_lives(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    """The stub's device memory is the host's, which every MPI reads; under mpirun and without."""
    for prefix, more in (("", "--ranks 2"), ("mpirun -n 2 ", "--append")):
        done = shell(
            f"{prefix}collcast run all_reduce {more} --sizes 64 --memory device --quiet "
            "--transport mpi,staged --repetitions 5 -o run.h5", COLLCAST_STUB=str(gpu_stub),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    measured = read_campaign(tmp_path / "run.h5").measurements
    assert sorted((m.case.transport, m.case.memory, m.wrong) for m in measured) == [
        ("mpi", "device", 0), ("mpi", "device", 0),
        ("staged", "device", 0), ("staged", "device", 0),
    ]  # fmt: skip


def test_the_doctor_says_what_is_there(shell: Any, gpu_stub: Path) -> None:
    plain = shell("collcast doctor").stdout
    for text in ("cuda driver", "cupy", "nccl", "gpu-aware mpi"):
        assert text in plain
    assert "not tried: no device" in plain
    stubbed = shell("collcast doctor", COLLCAST_STUB=str(gpu_stub)).stdout
    assert "2.99.0 through ctypes" in stubbed
    assert "exchanged and reduced up to 4 MiB" in stubbed
    assert "no figure will be a GPU's" in stubbed
