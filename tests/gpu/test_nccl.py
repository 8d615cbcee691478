"""NCCL on a real GPU; two ranks share one where there is no other."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from collcast.bench.device import device_count
from collcast.bench.errors import CollcastError
from collcast.bench.nccl import open_provider
from collcast.bench.store import read_campaign
from collcast.bench.stub import stub_path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(device_count() == 0, reason="no CUDA device that CuPy can use"),
    pytest.mark.skipif(bool(stub_path()), reason="a stub stands in for the GPU"),
]
ALL = "all_reduce all_gather reduce_scatter broadcast send_recv all_to_all barrier"


def nccl_version() -> tuple[int, ...]:
    """(0,) without NCCL."""
    try:
        return tuple(map(int, re.findall(r"\d+", open_provider().library.version)[:2]))
    except CollcastError:
        return (0,)


def run(shell: Any, arguments: str, ranks: int) -> None:
    if device_count() < ranks and nccl_version() < (2, 30):
        pytest.skip("this NCCL lets no two ranks share a GPU (2.30 does)")
    done = shell(
        f"collcast run {arguments} --ranks {ranks} --ranks-per-gpu {ranks} --memory device "
        "--timeout 20s --repetitions 20 --warmup 3 --quiet -o run.h5"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize(
    "protocol",
    ["--metric device", "--metric host", "--protocol throughput", "--protocol graph"],
)
def test_every_collective_is_right(shell: Any, tmp_path: Any, ranks: int, protocol: str) -> None:
    run(shell, f"{ALL} --sizes 8:4M:x64 --transport nccl {protocol}", ranks)
    campaign = read_campaign(tmp_path / "run.h5")
    assert {m.wrong for m in campaign.measurements} <= {0, None}
    assert all((m.sample.device_ns > 0).all() for m in campaign.measurements)
    assert not campaign.launches[0].environment.nccl_version.startswith("stub")
    assert 0 < campaign.launches[0].environment.device_timer_ns < 10_000


def test_a_gate_hides_the_launch(shell: Any, tmp_path: Any) -> None:
    """One rank, 8 B: the device's time lies within the host's, which holds launch and wait."""
    run(shell, "all_reduce --sizes 8 --transport nccl --metric device", 1)
    (measured,) = read_campaign(tmp_path / "run.h5").measurements
    host_ns = measured.sample.stop_ns - measured.sample.start_ns
    assert (measured.sample.device_ns <= host_ns + 2_000).mean() > 0.9


@pytest.mark.parametrize("kind", ["buffer", "window"])
def test_registered_buffers_give_the_same_results(shell: Any, tmp_path: Any, kind: str) -> None:
    run(shell, f"all_reduce --sizes 4K,1M --transport nccl --registration {kind}", 1)
    assert {m.wrong for m in read_campaign(tmp_path / "run.h5").measurements} == {0}


def test_the_doctor_names_library_and_canary(shell: Any) -> None:
    found = json.loads(shell("collcast doctor --format json").stdout)
    states = {check["name"]: check for check in found["checks"]}
    assert states["nccl"]["state"] == "ok"
    assert states["gpu-aware mpi"]["detail"] != "not tried: no device"


@pytest.mark.parametrize(
    ("dtype", "operation"),
    [
        ("int8", "max"), ("uint8", "min"), ("int32", "prod"), ("int64", "sum"),
        ("float16", "avg"), ("bfloat16", "sum"), ("float32", "avg"), ("float64", "prod"),
        ("float8_e4m3", "sum"), ("float8_e5m2", "max"),
    ],
)  # fmt: skip
def test_every_dtype_and_operation_is_right(
    shell: Any, tmp_path: Any, dtype: str, operation: str
) -> None:
    cases = f"all_reduce reduce_scatter --dtype {dtype} --operation {operation} --sizes 64,64K"
    run(shell, f"{cases} --transport nccl", 2)
    assert {m.wrong for m in read_campaign(tmp_path / "run.h5").measurements} == {0}


def test_uneven_counts_are_right(shell: Any, tmp_path: Any) -> None:
    run(shell, "all_to_allv --counts zipf:1.2 --sizes 64,1M --transport nccl", 2)
    assert {m.wrong for m in read_campaign(tmp_path / "run.h5").measurements} == {0}


def test_a_size_without_room_is_recorded_and_the_sweep_goes_on(shell: Any, tmp_path: Any) -> None:
    run(shell, "all_reduce --sizes 1M,512G --transport nccl", 1)
    campaign = read_campaign(tmp_path / "run.h5")
    (measured,), (failed,) = campaign.measurements, campaign.failed
    assert (measured.case.message_bytes, measured.wrong) == (1 << 20, 0)
    assert f"no device memory for 2 x {512 << 30} B" in failed.failure
