"""``collcast run --transport nccl`` as a user would call it, on the stub of libnccl and libcuda."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.store import read_campaign

if TYPE_CHECKING:
    from pathlib import Path

ROOM = 512 << 20  # what collcast leaves to verification and NCCL
QUICK = "--repetitions 5 --warmup 1 --quiet -o run.h5"


def run(shell: Any, stub: Path, arguments: str, **variables: str) -> Any:
    return shell(
        f"collcast run {arguments} --memory device {QUICK}",
        COLLCAST_STUB=str(stub), STUB_DELAY_US="50", **variables,
    )  # fmt: skip


def test_what_was_asked_for_is_what_the_file_says(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    """Both metrics, and that no number here is NCCL's."""
    for extra in ("", "--metric host", "--protocol graph --batch 4 --registration window"):
        append = "--append" if extra else ""
        done = run(
            shell, gpu_stub,
            f"all_reduce --ranks 2 --sizes 8,4K --transport nccl {extra} {append}",
            NCCL_DEBUG="WARN",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    protocols = [launch.protocol for launch in campaign.launches]
    assert [(p.mode, p.metric, p.registration) for p in protocols] == [
        ("latency", "device", "none"), ("latency", "host", "none"), ("graph", "host", "window"),
    ]  # fmt: skip
    environment = campaign.launches[0].environment
    assert environment.nccl_version == "stub 2.99.0 (ctypes)"
    assert environment.variables["NCCL_DEBUG"] == "WARN"
    assert environment.device_timer_ns > 0
    assert {m.wrong for m in campaign.measurements} == {0}
    assert all("stub" in m.labels for m in campaign.measurements)
    assert all((m.sample.device_ns > 0).all() for m in campaign.measurements)
    assert {m.sample.batch for m in campaign.measurements} == {1, 4}
    rows = json.loads(shell("collcast show run.h5 --format json").stdout)["rows"]
    assert sorted({(row["protocol"], row["statistic"]) for row in rows}) == [
        ("graph", "local_max"), ("latency", "local_max"), ("latency device", "device"),
    ]  # fmt: skip


def test_nccl_and_staged_mpi_are_interleaved_in_one_file(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    done = run(
        shell, gpu_stub, "all_gather all_to_all --ranks 2 --sizes 4K --transport nccl,staged"
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert campaign.launches[0].protocol.metric == "host"
    assert sorted((m.case.transport, m.wrong) for m in campaign.measurements) == [
        ("nccl", 0), ("nccl", 0), ("staged", 0), ("staged", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("memory", ["host", "device"])
def test_one_rank_is_held_against_a_copy_that_was_measured(
    shell: Any, gpu_stub: Path, tmp_path: Path, memory: str
) -> None:
    transports = "nccl,staged" if memory == "device" else "mpi"
    command = f"collcast run all_reduce copy --ranks 1,2 --sizes 64K,256K --transport {transports}"
    done = shell(
        f"{command} --memory {memory} {QUICK}", COLLCAST_STUB=str(gpu_stub), STUB_DELAY_US="50"
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    copies = [m for m in campaign.measurements if m.case.collective == "copy"]
    assert len(copies) == 4 * len(transports.split(","))
    assert all(m.wrong == 0 and "copy" in m.labels for m in copies)
    rows = json.loads(shell("collcast show run.h5 --format json").stdout)["rows"]
    assert {row["bound"] for row in rows if row["ranks"] == 1} == {"copy"}
    assert {row["bound"] for row in rows if row["ranks"] == 2} == {"", "copy"}
    best = [row["bound_percent"] for row in rows if row["collective"] == "copy"]
    assert max(best) == pytest.approx(100)
    whose = {"host": ["mpi host"], "device": ["nccl device", "staged device"]}[memory]
    shown = shell("collcast show run.h5").stdout
    for way in whose:
        assert f"bound copy, {way}" in shown
    assert "no curve" in shell("collcast fit run.h5").stdout


def test_buffers_of_the_pool_are_registered(shell: Any, gpu_stub: Path, tmp_path: Path) -> None:
    """Memory that NCCL did not allocate; the stub refuses to register any other."""
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 8,4K --transport nccl --registration buffer"
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert campaign.launches[0].protocol.registration == "buffer"
    assert {m.wrong for m in campaign.measurements} == {0}


def test_chunks_are_another_series(shell: Any, gpu_stub: Path) -> None:
    for more in ("", "--staging-chunk 1K --append"):
        done = run(shell, gpu_stub, f"all_reduce --ranks 2 --sizes 4K --transport staged {more}")
        assert done.returncode == 0, done.stderr
    shown = shell("collcast show run.h5").stdout
    assert shown.count("all_reduce staged") == 2
    assert "device chunks of 1K" in shown


def test_a_size_without_room_is_recorded_and_the_others_are_measured(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    arguments = "all_reduce --ranks 2 --sizes 4K,1M,4M --transport nccl"
    done = run(shell, gpu_stub, arguments, STUB_MEMORY_BYTES=str(ROOM + 3_000_000))
    assert done.returncode == 0, done.stderr
    assert "1 of 3 cases failed: rank 0: buffers: no device memory for 2 x 4194304 B" in done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert sorted(m.case.message_bytes for m in campaign.measurements) == [4096, 1 << 20]
    (failed,) = campaign.failed
    assert failed.case.message_bytes == 4 << 20
    left = ROOM + 3_000_000 - 2 * (4 << 20)  # the buffers alone would fit
    assert f"that leaves {left} B, fewer than" in failed.failure
    shown = shell("collcast show run.h5").stdout
    assert "failed: all_reduce nccl float32 4M on 2 ranks: rank 0: buffers" in shown
    again = shell("collcast run --resume run.h5", COLLCAST_STUB=str(gpu_stub), STUB_DELAY_US="50")
    assert again.returncode == 0, again.stderr
    assert 4 << 20 in {
        m.case.message_bytes for m in read_campaign(tmp_path / "run.h5").measurements
    }


def test_a_pair_without_room_is_recorded_on_its_two_ranks(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    arguments = "ping_pong all_reduce --ranks 3 --ranks-per-gpu 3 --sizes 4K,4M --transport mpi"
    done = run(shell, gpu_stub, arguments, STUB_MEMORY_BYTES=str(ROOM + 3_000_000))
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert {(m.case.collective, m.ranks) for m in campaign.failed} == {
        ("ping_pong", 2), ("all_reduce", 3),
    }  # fmt: skip
    assert sorted(m.case.message_bytes for m in campaign.measurements) == [4096, 4096]


def test_a_size_that_cannot_be_pinned_is_recorded(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 4K,1M,4M --transport staged",
        STUB_PINNED_BYTES="4000000",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of 3 cases failed: rank 0: buffers: no pinned memory for 4194304 B" in done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert sorted(m.case.message_bytes for m in campaign.measurements) == [4096, 1 << 20]
    assert [m.case.message_bytes for m in campaign.failed] == [4 << 20]


@pytest.mark.parametrize("registration", ["none", "window"])
def test_a_size_that_no_device_holds_is_recorded(
    shell: Any, gpu_stub: Path, tmp_path: Path, registration: str
) -> None:
    arguments = f"all_reduce --ranks 2 --sizes 4K,2G --transport nccl --registration {registration}"
    done = run(shell, gpu_stub, arguments)
    assert done.returncode == 0, done.stderr
    (failed,) = read_campaign(tmp_path / "run.h5").failed
    reason = {"none": "out of memory (CUDA error 2)", "window": "NCCL result 1"}[registration]
    assert failed.case.message_bytes == 2 << 30
    assert reason in failed.failure


def test_windows_that_do_not_fit_are_given_back(shell: Any, gpu_stub: Path, tmp_path: Path) -> None:
    """Else there would be no room for the smaller size either."""
    arguments = "all_reduce --ranks 2 --sizes 4K,4M --transport nccl --registration window"
    done = run(shell, gpu_stub, arguments, STUB_MEMORY_BYTES=str(ROOM + 3_000_000))
    assert done.returncode == 0, done.stderr
    (measured,) = read_campaign(tmp_path / "run.h5").measurements
    assert measured.case.message_bytes == 4096


def test_no_room_at_all_is_one_line(shell: Any, gpu_stub: Path) -> None:
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 4M --transport nccl",
        STUB_MEMORY_BYTES=str(ROOM + 3_000_000),
    )  # fmt: skip
    assert done.returncode == 1
    assert "no device memory for 2 x 4194304 B" in done.stderr


def test_an_error_of_nccl_names_everything_and_keeps_what_is_finished(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    """The sixteenth call on every rank: the second case's."""
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 8,16,32 --transport nccl",
        STUB_FAIL="ncclAllReduce:16:2",
    )  # fmt: skip
    assert done.returncode == 1
    assert "all_reduce of " in done.stderr
    assert "B over nccl: " in done.stderr
    assert "ncclAllReduce: unhandled system error (NCCL result 2): stub: as asked" in done.stderr
    assert 1 <= len(read_campaign(tmp_path / "run.h5").measurements) <= 2


def test_an_error_on_one_rank_ends_the_job(shell: Any, gpu_stub: Path, tmp_path: Path) -> None:
    """The other rank waits for it in vain, and is ended."""
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 8,16,32 --transport nccl",
        STUB_FAIL="ncclAllReduce:16:2:1",
    )  # fmt: skip
    assert done.returncode == 1
    assert "rank 1, " in done.stderr
    assert "ncclAllReduce: unhandled system error" in done.stderr
    assert len(read_campaign(tmp_path / "run.h5").measurements) >= 1


def test_a_communicator_that_cannot_be_made(shell: Any, gpu_stub: Path, tmp_path: Path) -> None:
    """On one rank, while the other waits for it; or on all, whose NCCL is too old to share."""
    arguments = "all_reduce --ranks 2 --sizes 8 --transport nccl --ranks-per-gpu 2"
    done = run(shell, gpu_stub, arguments, STUB_FAIL="ncclCommInitRank:1:2:1")
    assert done.returncode == 1
    assert "nccl: communicator of 2 ranks: rank 1: nccl: ncclCommInitRank: found" in done.stderr
    done = run(shell, gpu_stub, arguments, STUB_VERSION="22903")
    assert done.returncode == 2
    assert "collcast: nccl: found version 2.29.3 and several ranks on a GPU" in done.stderr
    assert not (tmp_path / "run.h5").exists()


def test_a_failed_call_of_the_driver_is_named(shell: Any, gpu_stub: Path) -> None:
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 8 --transport nccl --sync none",
        STUB_FAIL="cuEventRecord:410:719",
    )  # fmt: skip
    assert done.returncode == 1
    assert "iteration 2: cuEventRecord: unspecified launch failure (CUDA error 719)" in done.stderr


def test_an_operation_that_never_ends_because_a_peer_is_gone(
    shell: Any, gpu_stub: Path, tmp_path: Path
) -> None:
    """NCCL tells only who asks: the ranks that were told say so, long before anything is a hang."""
    done = run(
        shell, gpu_stub, "all_reduce --ranks 2 --sizes 8,16,32 --transport nccl --timeout 20s",
        STUB_LOSE="16:1",
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = [one for one in done.stderr.splitlines() if "ncclCommGetAsyncError" in one]
    assert line.startswith("collcast: all_reduce ")
    assert "nccl: rank 1: ncclCommGetAsyncError: remote process exited" in line
    assert "nothing moved" not in done.stderr
    assert len(read_campaign(tmp_path / "run.h5").measurements) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--transport nccl,staged --metric device", "metric: found device over nccl,staged"),
        ("--transport staged --protocol graph", "protocol: found graph over staged"),
        ("--transport staged --registration window", "registration: found window over staged"),
        ("--transport nccl --protocol throughput --metric device", "metric: found device in"),
        ("--transport nccl --staging-chunk 1M", "staging-chunk: found 1M over nccl"),
        ("all_to_allv --transport staged --staging-chunk 1M", "found 1M for all_to_allv"),
        ("copy --transport nccl --placement in_place", "found in_place for copy"),
        ("--transport nccl --dtype int16", "nccl: found dtype int16"),
    ],
)
def test_what_does_not_go_together_is_refused(
    shell: Any, gpu_stub: Path, tmp_path: Path, arguments: str, message: str
) -> None:
    done = run(shell, gpu_stub, f"all_reduce --ranks 2 --sizes 8 {arguments}")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize("arguments", ["", "--transport nccl --ranks 2", "--transport mpi"])
def test_without_a_device_one_line_says_so(shell: Any, tmp_path: Path, arguments: str) -> None:
    done = shell(f"collcast run all_reduce --memory device {arguments} {QUICK}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("collcast: memory: found no CUDA device")
    assert not (tmp_path / "run.h5").exists()
