"""Hangs and deaths: who has not arrived is named, and what was finished is kept."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench import watchdog
from collcast.bench.board import IDLE, Board, Status, board_folder, ranks_here, read_board
from collcast.bench.commands import launch
from collcast.bench.host import started_at
from collcast.bench.store import read_campaign
from collcast.bench.watchdog import Watchdog, describe_board
from collcast.native import BUILTINS, Step, StepError, run


def status(rank: int, **fields: Any) -> Status:
    known = {"host": "n", "pid": 1, "case": 2, "operation": "all_reduce 8", "state": 2}
    return Status(**{"rank": rank, "iteration": 7, **known, **fields})


def test_the_loop_keeps_the_board_up_to_date(tmp_path: Path) -> None:
    """State and iteration where a step failed, read back as another process would."""
    board = Board(tmp_path, 3)
    board.begin(5, "all_reduce 64K mpi")
    nothing = Step(BUILTINS["nothing"], (), "timed")
    stop = Step(BUILTINS["nothing"], (), "complete", ok=(1,))
    stamps = np.zeros((2, 10), np.int64)
    run(board.around((), (nothing,)), stamps[0], stamps[1])
    (found,) = read_board(tmp_path)
    assert (found.rank, found.case, found.operation) == (3, 5, "all_reduce 64K mpi")
    assert (found.state, found.iteration, found.pid) == (3, 10, os.getpid())
    with pytest.raises(StepError):
        run(board.around((), (nothing, stop)), stamps[0], stamps[1])
    (found,) = read_board(tmp_path)
    assert (found.state, found.iteration) == (2, 11)
    board.rest()
    assert read_board(tmp_path)[0].state == 0
    board.remove()
    assert read_board(tmp_path) == []


def test_who_lags_is_named_and_the_rest_is_counted() -> None:
    lines = describe_board(
        [status(0), status(1), status(2, state=1, host="n2", pid=42), status(3)], 5
    )
    assert lines == [
        "     3 ranks case 2 all_reduce 8: inside, iteration 7",
        "     1 rank  case 2 all_reduce 8: before, iteration 7",
        "not arrived: rank 2 on n2, pid 42: before",
        "without a status: ranks 4",
    ]
    many = describe_board([status(0), *(status(rank, iteration=6) for rank in range(1, 40))])
    assert many[-1] == "not arrived: 19 more ranks"
    second = 1_000_000_000
    beats = [status(0, beat_ns=9 * second), status(1, beat_ns=3 * second)]
    assert describe_board(beats, silent_s=5)[1:] == [
        "stopped: rank 1 on n, pid 1: the process has not run for 6.0 s"
    ]
    assert len(describe_board(beats)) == 1
    assert describe_board([]) == ["no rank left a status"]


def test_the_watchdog_barks_once_and_only_when_nothing_moves(tmp_path: Path) -> None:
    board, barks = Board(tmp_path, 0), []
    with Watchdog(board, 0, 0.3, lambda _: barks.append(time.monotonic())):
        for case in range(12):
            board.begin(case, "busy")
            time.sleep(0.05)
        assert barks == []
        time.sleep(0.6)  # between operations, work that no step counts is no hang
        assert barks == []
        run(
            board.around((), (Step(BUILTINS["nothing"], (), "timed"),)), *np.zeros((2, 1), np.int64)
        )
        stopped = time.monotonic()
        time.sleep(0.8)
    assert len(barks) == 1
    assert 0.2 < barks[0] - stopped < 0.7


def test_a_rank_that_sleeps_while_others_get_on_is_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own board says nothing for as long as a case of two other ranks takes."""
    monkeypatch.setattr(watchdog, "_BETWEEN", 4)
    sleeper, other, barks = Board(tmp_path, 0), Board(tmp_path, 1), []
    other.begin(1, "ping_pong 8 mpi")
    steps = other.around((), (Step(BUILTINS["nothing"], (), "timed"),))
    sleeper.begin(1, IDLE)
    with Watchdog(sleeper, 0, 0.25, barks.append):
        for _ in range(20):
            run(steps, *np.zeros((2, 1), np.int64))
            time.sleep(0.1)
        assert barks == []
        time.sleep(1.5)
    assert barks == [4 * 0.25]


def test_a_status_that_goes_while_it_is_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boards = [Board(tmp_path, rank) for rank in range(2)]
    read = Path.read_bytes

    def racing(path: Path) -> bytes:
        boards[1].remove()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", racing)
    assert [status.rank for status in read_board(tmp_path)] == [0]


def start(mpi_environment: dict[str, str], tmp_path: Path, *launcher: str) -> Any:
    process = subprocess.Popen(
        [*launcher, "collcast", "run", "all_reduce", "--sizes", "8:64M", "--repetitions", "200",
         "--timeout", "2s", "-o", "run.h5", *([] if launcher else ["--ranks", "3"])],
        cwd=tmp_path, env=mpi_environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    folder = board_folder(tmp_path / "run.h5")
    while not (folder.exists() and any(s.case > 3 for s in read_board(folder))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, read_board(folder)


@pytest.mark.parametrize("launcher", [(), ("mpirun", "-n", "3")], ids=["alone", "mpirun"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_stopped_rank_ends_the_job_in_time_and_is_named(
    mpi_environment: dict[str, str], tmp_path: Path, launcher: tuple[str, ...], victim: int
) -> None:
    process, statuses = start(mpi_environment, tmp_path, *launcher)
    pid = statuses[victim].pid
    os.kill(pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        _, said = process.communicate(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):  # mpirun has mostly killed it already
            os.kill(pid, signal.SIGKILL)
    assert process.returncode == 3, said
    assert time.monotonic() - stopped < 2 + 5 + 3  # the timeout, 5 s, and a loaded machine's
    patience = "2 s" if victim else "(3.5|5) s"  # who watches rank 0 waits a little longer
    assert re.search(f"nothing moved for {patience};", said)
    assert set(re.findall(r"stopped: rank (\d+) on", said)) == {str(victim)}
    assert len(read_campaign(tmp_path / "run.h5").measurements) >= 2


def test_a_killed_rank_is_seen_by_the_parent(
    mpi_environment: dict[str, str], tmp_path: Path
) -> None:
    process, statuses = start(mpi_environment, tmp_path)
    os.kill(statuses[1].pid, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in {0, 2, 3}
    assert "ranks when it did:" in said
    assert "case 4" in said or "case 5" in said or "case 6" in said
    assert len(read_campaign(tmp_path / "run.h5").measurements) >= 2
    assert not board_folder(tmp_path / "run.h5").exists()


def test_after_a_bare_mpirun_check_tells(
    mpi_environment: dict[str, str], tmp_path: Path, shell: Any
) -> None:
    process, statuses = start(mpi_environment, tmp_path, "mpirun", "-n", "3")
    os.kill(statuses[2].pid, signal.SIGKILL)
    process.communicate(timeout=60)
    done = shell("collcast check run.h5")
    assert "ranks of a launch that runs, or that ended badly:" in done.stdout
    assert "case" in done.stdout.partition("badly:")[2]


RANK_0 = """
import sys, time
from pathlib import Path
from collcast.bench.board import Board
board = Board(Path(sys.argv[1]), 0)
print("made", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("seconds", "ended"), [(0.2, 0), (60, -signal.SIGKILL)])
def test_rank_0_is_gone_before_the_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, ended: int
) -> None:
    """It may outlive its mpiexec, and appends to what consolidation removes."""
    monkeypatch.setattr(launch, "_PATIENCE_S", 20 if ended == 0 else 0.3)
    rank = subprocess.Popen(
        [sys.executable, "-c", RANK_0, tmp_path, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert rank.stdout is not None
    assert rank.stdout.readline() == "made\n"
    assert [status.pid for status in ranks_here(tmp_path)] == [rank.pid]
    assert launch._end_ranks(tmp_path) is True
    assert ranks_here(tmp_path) == []
    assert rank.wait(timeout=20) == ended
    rank.stdout.close()
    monkeypatch.setattr(launch, "boot_id", lambda: "of another machine")
    assert launch._end_ranks(tmp_path) is False


def test_no_rank_is_left_when_mpiexec_is_killed(
    mpi_environment: dict[str, str], tmp_path: Path
) -> None:
    process, statuses = start(mpi_environment, tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode not in {0, 2, 3}, said
    assert [started_at(status.pid) for status in statuses] == [-1] * len(statuses)
    assert len(read_campaign(tmp_path / "run.h5").measurements) >= 2
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]
