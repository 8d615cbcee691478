"""``collcast run`` as a user calls it: what it writes, and what it says about mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.store import read_campaign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK = "--sizes 8:64 --repetitions 5 --warmup 1"


def only_line(done: Any) -> str:
    """The one line that collcast itself wrote; mpirun may have added its banner."""
    stripped = [line.strip(" \0") for line in done.stderr.splitlines()]  # a banner may end in NUL
    lines = [line for line in stripped if line.startswith("collcast: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def test_one_launch_per_number_of_ranks(shell: Callable[..., Any], tmp_path: Path) -> None:
    done = shell(f"collcast run all_reduce all_to_all --ranks 1,2,2,3,1 {QUICK} -o run.h5")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.h5"]
    campaign = read_campaign(tmp_path / "run.h5")
    assert [launch.environment.ranks for launch in campaign.launches] == [1, 2, 3]
    assert {m.wrong for m in campaign.measurements} == {0}
    sizes = {
        m.case.message_bytes
        for m in campaign.measurements
        if m.ranks == 3 and m.case.collective == "all_to_all"
    }
    assert sizes == {12, 24, 36, 72}
    by_ranks = {m.ranks: m.labels for m in campaign.measurements}
    assert "copy" in by_ranks[1]
    assert ("oversubscribed" in by_ranks[3]) == (len(os.sched_getaffinity(0)) < 3)


def test_under_mpirun_the_ranks_are_those_of_the_launch(shell: Any, tmp_path: Path) -> None:
    done = shell(f"mpirun -n 2 collcast run all_reduce {QUICK} --memory host --quiet -o run.h5")
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert [m.ranks for m in campaign.measurements] == [2] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.h5"]


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("--protocol throughput --batch 4", ("throughput", "barrier", 4)),
        ("--sync window", ("latency", "window", 1)),
        ("--sync none", ("latency", "none", 1)),
    ],
)
def test_the_protocol_is_what_was_asked_for(
    shell: Any, tmp_path: Path, protocol: str, expected: tuple[Any, ...]
) -> None:
    done = shell(f"collcast run all_reduce --ranks 2 {QUICK} {protocol} -o run.h5")
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    found = campaign.launches[0].protocol
    assert (found.mode, found.synchronisation, found.batch) == expected
    assert {m.sample.batch for m in campaign.measurements} == {expected[2]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("all_reduced -o a.h5", "collective: found 'all_reduced', expected one of all_reduce"),
        ("all_reduce --sizes 8:x -o a.h5", "size: found 'x'"),
        ("all_reduce --sizes 6 -o a.h5", "found 6, expected a multiple of 4"),
        ("all_reduce --dtype float7 -o a.h5", "'float7' is not one of 'int8'"),
        ("all_reduce --protocol fast -o a.h5", "'fast' is not one of 'latency', 'throughput'"),
        ("all_reduce --repetitions 0 -o a.h5", "'--repetitions': 0 is not in the range"),
        ("all_reduce --ranks 0 -o a.h5", "found '0', expected numbers of ranks"),
        ("all_reduce --batch 3 -o a.h5", "protocol.batch: found 3 in latency mode"),
        ("all_reduce --transport staged -o a.h5", "transport: found staged on host memory"),
        ("all_reduce --operation avg -o a.h5", "mpi: found operation avg, expected one that it"),
        ("all_reduce --dtype bfloat16 -o a.h5", "found dtype bfloat16 in all_reduce"),
        ("all_reduce --counts zipf:1 -o a.h5", "counts: found zipf:1 without all_to_allv"),
        ("all_to_allv --counts zipf:x -o a.h5", "counts: found 'zipf:x', expected uniform"),
        ("all_to_allv --placement in_place -o a.h5", "found in_place for all_to_allv"),
        (
            "all_reduce --protocol throughput --verify 0.1 -o a.h5",
            "protocol.verify_share: found 0.1",
        ),
        ("all_reduce --ranks-per-gpu 2 -o a.h5", "ranks_per_gpu: found 2 on host memory"),
        ("all_reduce --share 0.25 -o a.h5", "share: found 0.25 without --aggressor, expected both"),
        ("pairs --pair 0,1 -o a.h5", "pair: found 0,1 without ping_pong, unidirectional, bidir"),
        ("ping_pong --pair-rounds -o a.h5", "pair-rounds: found it without pairs, expected both"),
        ("barrier --allow-change -o a.h5", "allow-change: found it without --resume"),
        ("barrier --repetitions 5 --budget 3s -o a.h5", "budget: found 3s beside --repetitions"),
        ("barrier --repetitions 5 --precision 0.5 -o a.h5", "precision: found 0.5 beside --rep"),
        ("noise --skew uniform:50us -o a.h5", "skew: found uniform:50us beside noise, expected"),
        ("noise noise --sync window -o a.h5", "sync: found window beside noise"),
        ("noise --protocol throughput -o a.h5", "protocol: found throughput beside noise"),
        ("noise --batch 7 -o a.h5", "batch: found 7 beside noise"),
        ("noise --verify 0.5 -o a.h5", "verify: found 0.5 beside noise"),
        ("noise --precision 0.5 -o a.h5", "precision: found 0.5 beside noise"),
        ("all_reduce", "Missing option '-o'"),
        ("-o a.h5", "Missing argument 'COLLECTIVE...'"),
        ("all_reduce -o none/a.h5", "none is no directory"),
    ],
)
def test_mistakes_get_one_line_and_status_2(
    shell: Any, tmp_path: Path, arguments: str, message: str
) -> None:
    done = shell(f"collcast run {arguments}")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert message in only_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("all_reduced -o a.h5", "collective: found 'all_reduced', expected one of all_reduce"),
        ("all_reduce --dtype float7 -o a.h5", "'float7' is not one of 'int8'"),
        ("all_reduce -o none/a.h5", "none is no directory"),
        ("all_reduce --topology none.csv -o a.h5", "No such file"),
        ("all_reduce --topology ../others.csv -o a.h5", "others.csv: found none of the hosts"),
        ("all_reduce --memory device -o a.h5", "memory: found no CUDA device"),
    ],
)
def test_under_mpirun_one_rank_says_it(
    shell: Any, tmp_path: Path, arguments: str, message: str
) -> None:
    (tmp_path.parent / "others.csv").write_text("host,leaf\nanother-one,l1\n")
    done = shell(f"mpirun -n 2 collcast run {arguments}")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert message in only_line(done)
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_checked_against_every_number_of_ranks_before_anything_runs(
    shell: Any, tmp_path: Path
) -> None:
    done = shell("collcast run all_to_all --ranks 2,3 --sizes 16 -o run.h5")
    assert done.returncode == 2
    assert "found 16 for all_to_all on 3 ranks, expected a multiple of 12" in only_line(done)
    done = shell("mpirun -n 3 collcast run all_to_all --sizes 16 -o run.h5")
    assert done.returncode == 2
    assert "on 3 ranks" in only_line(done)
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_other_ranks_than_the_launch_has_are_refused(shell: Any) -> None:
    done = shell(f"mpirun -n 2 collcast run all_reduce --ranks 4 {QUICK} -o run.h5")
    assert done.returncode == 2
    assert "ranks: found 2 ranks under this mpirun, expected --ranks 4" in only_line(done)


@pytest.mark.parametrize("launcher", ["", "mpirun -n 2 "])
def test_counts_of_a_file_are_those_of_the_launch(
    shell: Any, tmp_path: Path, launcher: str
) -> None:
    """A rank learns the launch's size from MPI only; the matrix is checked once it has."""
    (tmp_path / "m.txt").write_text("1 2\n3 4\n")
    ranks = "" if launcher else "--ranks 2"
    command = f"{launcher}collcast run all_to_allv {QUICK} --sizes 80 --counts m.txt"
    done = shell(f"{command} {ranks} -o run.h5")
    assert done.returncode == 0, done.stderr
    (found,) = read_campaign(tmp_path / "run.h5").measurements
    assert (found.ranks, found.wrong, found.busiest_bytes) == (2, 0, 48)
    (tmp_path / "m.txt").write_text("1 2 3\n4 5 6\n7 8 9\n")
    done = shell(f"{command} {ranks} -o other.h5")
    assert done.returncode == 2
    assert "m.txt: found 3 lines of 3 numbers, expected 2 of 2" in only_line(done)


@pytest.mark.parametrize("rank_map", ["block", "round-robin"])
def test_several_numbers_of_ranks_under_one_mpirun(
    shell: Any, tmp_path: Path, rank_map: str
) -> None:
    """Groups take ranks host by host or in turn; with two pretended hosts it can be seen."""
    done = shell(
        f"mpirun -n 4 collcast run all_reduce --ranks 1,2,4 --rank-map {rank_map} {QUICK} "
        "-o run.h5",
        COLLCAST_FAKE_NODES="2",
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert [launch.environment.ranks for launch in campaign.launches] == [1, 2, 4]
    assert sorted(m.ranks for m in campaign.measurements) == [1] * 4 + [2] * 4 + [4] * 4
    assert {m.wrong for m in campaign.measurements} == {0}


def test_a_pair_on_a_crowded_host_says_so(shell: Any, tmp_path: Path) -> None:
    """The others sleep, and yet a message takes ten times as long."""
    crowd = max(len(os.sched_getaffinity(0)) + 1, 3)
    done = shell(f"collcast run ping_pong --ranks {crowd} {QUICK} -o run.h5")
    assert done.returncode == 0, done.stderr
    labels = {found.labels for found in read_campaign(tmp_path / "run.h5").measurements}
    assert labels == {("oversubscribed",)}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_ranks_that_sleep_on_cores_of_their_own_crowd_nobody(shell: Any, tmp_path: Path) -> None:
    """Where mpirun binds them, those that take part may use fewer cores than the host has."""
    done = shell(
        f"mpirun -n 2 --bind-to core collcast run all_reduce --ranks 1,2 {QUICK} --quiet -o run.h5"
    )
    assert done.returncode == 0, done.stderr
    measured = read_campaign(tmp_path / "run.h5").measurements
    assert {(m.ranks, m.labels) for m in measured} == {(1, ("copy",)), (2, ())}


def test_many_worlds_of_one_rank_are_noticed(shell: Any, tmp_path: Path) -> None:
    """What the mpirun of another MPI does: each process believes to be alone."""
    done = shell(
        f"collcast run all_reduce {QUICK} -o run.h5", PMI_RANK="0", PMI_SIZE="4", PMI_FD=""
    )
    assert done.returncode == 2
    assert "world: found 1 ranks in" in only_line(done)
    assert "expected 4 as the launcher started" in only_line(done)
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_forced_or_appended(shell: Any, tmp_path: Path) -> None:
    command = f"collcast run barrier --ranks 2 {QUICK} -o run.h5"
    assert shell(command).returncode == 0
    before = (tmp_path / "run.h5").read_bytes()
    for prefix in ("", "mpirun -n 2 "):
        done = shell(prefix + command)
        assert done.returncode == 2
        assert "run.h5 exists; give --force" in only_line(done)
    assert (tmp_path / "run.h5").read_bytes() == before
    done = shell(f"{command} --append --force")
    assert done.returncode == 2
    assert "force: found --append beside it, expected one of the two" in only_line(done)
    assert (tmp_path / "run.h5").read_bytes() == before
    assert shell(f"{command} --append").returncode == 0
    assert len(read_campaign(tmp_path / "run.h5").launches) == 2
    assert shell(f"{command} --force").returncode == 0
    assert len(read_campaign(tmp_path / "run.h5").launches) == 1


def test_under_mpirun_a_number_of_ranks_without_cases_is_no_launch(
    shell: Any, tmp_path: Path
) -> None:
    """The first launch that measures is the one that replaces the file."""
    command = f"mpirun -n 2 collcast run ping_pong --ranks 1,2 {QUICK} -o run.h5 --quiet"
    for options in ("", " --force"):
        assert shell(command + options).returncode == 0
        campaign = read_campaign(tmp_path / "run.h5")
        assert [launch.number for launch in campaign.launches] == [0]
        assert len(campaign.measurements) == 4
    done = shell(f"mpirun -n 1 collcast run ping_pong {QUICK} -o alone.h5")
    assert done.returncode == 2
    assert "ranks: found 1 for ping_pong, expected at least 2" in only_line(done)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_its_finished_cases(
    mpi_environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    process = subprocess.Popen(
        # A shell that runs tests in the background lets them ignore SIGINT; a user's does not.
        ["env", "--default-signal=INT", "collcast", "run", "all_reduce", "--ranks", "2", "--sizes",
         "8:64M", "--repetitions", "200", "-o", "run.h5"],
        cwd=tmp_path, env=mpi_environment, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    journal = tmp_path / "run.h5.journal"
    while not (journal.exists() and journal.stat().st_size > 15_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    campaign = read_campaign(tmp_path / "run.h5")
    assert 1 <= len(campaign.measurements) < 24
    assert {m.wrong for m in campaign.measurements} == {0}


def test_progress_for_a_parent_is_one_line_per_case(shell: Any) -> None:
    done = shell(
        f"mpirun -n 2 collcast run all_reduce {QUICK} -o run.h5", COLLCAST_PROGRESS_TO_PARENT="1"
    )
    marked = [line for line in done.stdout.splitlines() if line.startswith("@collcast-progress ")]
    assert sorted(json.loads(line.partition(" ")[2]) for line in marked) == [
        "all_reduce 16", "all_reduce 32", "all_reduce 64", "all_reduce 8",
    ]  # fmt: skip


def test_help_needs_no_heavy_library(shell: Any) -> None:
    """So that it answers at once; measuring is what loads NumPy, HDF5 and MPI."""
    probe = (
        "import sys\n"
        "from collcast.bench.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'h5py', 'mpi4py', 'scipy', 'pandas', 'matplotlib', 'rich', 'cupy'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = shell(f'python -c "{probe}"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("loaded: []\n")
    assert " run " in done.stdout


def test_commands_that_do_not_measure_never_load_mpi(shell: Any, tmp_path: Path) -> None:
    assert shell(f"collcast run barrier --ranks 2 {QUICK} -o run.h5").returncode == 0
    for command in ("show run.h5", "check run.h5"):
        probe = (
            "import sys\n"
            "from collcast.bench.cli import main\n"
            f"try:\n    main('{command}'.split())\n"
            "except SystemExit as end:\n    assert not end.code\n"
            "print('loaded:', 'mpi4py.MPI' in sys.modules)"
        )
        done = shell(f'python -c "{probe}"')
        assert done.stdout.endswith("loaded: False\n"), (done.stdout, done.stderr)


SPOILING = """
from collcast.bench.checker import Checker
check = Checker.check
def spoilt(self):
    if self.rank == 1:
        self.buffers.receive[3] += 1
    check(self)
Checker.check = spoilt
"""


@pytest.mark.parametrize("launcher", ["", "mpirun -n 2 "])
def test_a_wrong_result_is_told_at_the_end_and_kept(
    shell: Any, tmp_path: Path, launcher: str
) -> None:
    """Spoilt before both checks on rank 1 where there are two; the next launch still runs."""
    (tmp_path / "sitecustomize.py").write_text(SPOILING)
    options = "" if launcher else "--ranks 2,1"
    command = f"{launcher}collcast run all_reduce {options} --sizes 64 --repetitions 5 --warmup 1"
    done = shell(f"{command} --quiet -o run.h5", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1, done.stderr
    line = only_line(done)
    assert line.startswith("collcast: WRONG: all_reduce 64 float32 sum mpi on 2 ranks: 2 wrong")
    assert "the first 3 on rank 1" in line
    wrong = {m.ranks: m.wrong for m in read_campaign(tmp_path / "run.h5").measurements}
    assert wrong == ({2: 2} if launcher else {2: 2, 1: 0})
