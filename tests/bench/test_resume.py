"""Going on with a campaign that was cut short: exactly what is missing, on the same machine."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench.environment import Environment
from collcast.bench.errors import EnvironmentMismatchError, StoreError
from collcast.bench.protocol import Protocol
from collcast.bench.resume import (
    check_same_machine,
    command_line,
    missing_cases,
    recorded_command,
    recorded_ranks,
)
from collcast.bench.sample import Campaign, Launch, Measurement, Sample
from collcast.bench.store import read_campaign, write_campaign
from collcast.bench.sweep import sweep

COMMAND = ("collcast", "run", "all_reduce", "--sizes", "8:64")


def campaign(launches: list[list[int]], **environment: Any) -> Campaign:
    """Launches of two ranks that measured these sizes."""
    empty = Sample(start_ns=np.zeros((0, 2), np.int64), stop_ns=np.zeros((0, 2), np.int64))
    known = {"command": COMMAND, "cpu": "EPYC", "cores_per_host": {"n": 2}, "ranks": 2}
    made = tuple(
        Launch(number=k, protocol=Protocol(), environment=Environment(**{**known, **environment}))
        for k in range(len(launches))
    )
    measured = tuple(
        Measurement(case=case, sample=empty, warmup=empty, launch=k, wrong=0)
        for k, sizes in enumerate(launches)
        for size in sizes
        for case in sweep(("all_reduce",), str(size), 2)
    )
    return Campaign(launches=made, measurements=measured)


def missing(found: Campaign, launches: int = 1, ranks: int = 2) -> list[int]:
    cases = sweep(("all_reduce",), "8:64", ranks)
    left = missing_cases(found, cases, ranks, launches, Protocol(), {})
    return [case.message_bytes for case in left]


def test_what_is_missing_is_counted_by_case_ranks_and_launch() -> None:
    partly = campaign([[8, 64], [8]])
    assert missing(partly) == [16, 32]
    assert missing(partly, launches=2) == [16, 32, 64]
    assert missing(partly, ranks=4) == [8, 16, 32, 64]
    assert missing(campaign([[8, 16, 32, 64]])) == []


def test_another_protocol_is_refused() -> None:
    cases = sweep(("all_reduce",), "8", 2)
    with pytest.raises(
        EnvironmentMismatchError, match=r"protocol\.repetitions: found 100 in launch 0, expected 7"
    ):
        missing_cases(campaign([[8]]), cases, 2, 1, Protocol(repetitions=7), {})


def test_launches_added_by_another_command_may_have_another_protocol() -> None:
    """They count for nothing, whether they measured what is asked for or something else."""
    found = campaign([[8], [16, 32]])
    changes = {"command": (*COMMAND, "--append"), "cpu": "EPYC", "ranks": 2}
    other = Launch(number=1, protocol=Protocol(repetitions=7), environment=Environment(**changes))
    assert missing(replace(found, launches=(found.launches[0], other))) == [16, 32, 64]


def test_the_ranks_are_those_on_which_the_command_measured() -> None:
    found = campaign([[8], [8]])
    other = replace(found.launches[1].environment, ranks=4)
    launches = [replace(found.launches[1], environment=other)]
    assert recorded_ranks(replace(found, launches=(found.launches[0], *launches))) == (2, 4)
    launches = [replace(launches[0], environment=replace(other, command=(*COMMAND, "--append")))]
    assert recorded_ranks(replace(found, launches=(found.launches[0], *launches))) == (2,)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cpu", "Xeon"), ("mpi_library", "MPICH"), ("cores_per_host", {"m": 2}), ("gpu", "H200"),
     ("packages", {"collcast": "9"})],
)  # fmt: skip
def test_another_machine_is_refused_and_the_difference_named(field: str, value: Any) -> None:
    found = campaign([[8]])
    same = found.launches[0].environment
    check_same_machine(found, replace(same, ranks=64, command=("other",), cores_per_host={}))
    name = {"cores_per_host": "hosts", "packages": "collcast"}.get(field, field)
    with pytest.raises(EnvironmentMismatchError, match=f"resume: {name}: found .* launch 0"):
        check_same_machine(found, replace(same, **{field: value}))


def test_the_command_is_that_of_the_first_launch() -> None:
    assert recorded_command(campaign([[8]]), "x.h5") == ("all_reduce", "--sizes", "8:64")
    with pytest.raises(StoreError, match=r"x\.h5: found no recorded command"):
        recorded_command(campaign([[8]], command=()), "x.h5")


def cut_short(path: Path) -> None:
    """Keep the first launch and half of the second's cases, as a kill would have."""
    whole = read_campaign(path)
    kept = [m for m in whole.measurements if m.launch == 0]
    kept += [m for m in whole.measurements if m.launch == 1][:2]
    write_campaign(path, Campaign(launches=whole.launches[:2], measurements=tuple(kept)))


@pytest.mark.parametrize("launcher", ["", "mpirun -n 3 "], ids=["alone", "mpirun"])
def test_a_cut_campaign_is_completed(shell: Any, tmp_path: Path, launcher: str) -> None:
    """Ranks 2 whole, ranks 3 half, ranks 4 not begun: each case is there once in the end."""
    sizes = "--sizes 8:64 --repetitions 3 --warmup 1"
    assert shell(f"collcast run all_reduce --ranks 2,3,4 {sizes} -o run.h5").returncode == 0
    cut_short(tmp_path / "run.h5")
    done = shell(f"{launcher}collcast run --resume run.h5")
    assert done.returncode == 0, done.stderr
    found = read_campaign(tmp_path / "run.h5")
    counted = Counter((m.ranks, m.case.message_bytes) for m in found.measurements)
    expected = {(r, s) for r in ((2, 3, 4) if not launcher else (2, 3)) for s in (8, 16, 32, 64)}
    assert counted == Counter(expected)
    assert len(found.launches) == (4 if not launcher else 3)
    again = shell(f"{launcher}collcast run --resume run.h5")
    assert again.returncode == 0, again.stderr
    if launcher:
        assert "nothing is missing at 3 ranks" in again.stderr
    assert len(read_campaign(tmp_path / "run.h5").measurements) == len(found.measurements)


def test_other_options_beside_resume_are_refused(shell: Any) -> None:
    sizes = "--sizes 8 --repetitions 3 --warmup 1"
    assert shell(f"collcast run barrier --ranks 2 {sizes} -o run.h5").returncode == 0
    done = shell("collcast run --resume run.h5 --dtype int8")
    assert done.returncode == 2
    assert "resume: found dtype beside --resume" in done.stderr
    done = shell("collcast run --resume none.h5")
    assert done.returncode == 2
    assert "none.h5" in done.stderr


def test_recorded_files_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in ("--topology", "--design", "--counts", "--skew"):
        for words, at in (([option, "t.csv"], 1), ([f"{option}=t.csv"], 0)):
            monkeypatch.setattr(sys, "argv", ["collcast", "run", "all_reduce", *words])
            found = command_line()
            assert found[:3] == ("collcast", "run", "all_reduce")
            assert found[3 + at].endswith(str(tmp_path / "t.csv"))
    patterns = ["--counts", "zipf:1.2", "--skew=uniform:50us", "--counts=uniform", "--skew", ""]
    monkeypatch.setattr(sys, "argv", ["collcast", "run", *patterns])
    assert command_line()[2:] == tuple(patterns)


def test_a_matrix_of_counts_is_found_from_another_folder(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("1 2\n3 4\n")
    command = "collcast run all_to_allv --ranks 2 --sizes 80,160 --counts m.txt"
    assert shell(f"{command} --repetitions 3 --warmup 1 -o run.h5").returncode == 0
    whole = read_campaign(tmp_path / "run.h5")
    cut = replace(whole, measurements=whole.measurements[:1])
    write_campaign(tmp_path / "run.h5", cut)
    (tmp_path / "elsewhere").mkdir()
    done = shell("env -C elsewhere collcast run --resume ../run.h5")
    assert done.returncode == 0, done.stderr
    found = read_campaign(tmp_path / "run.h5").measurements
    assert Counter(m.case for m in found) == Counter(m.case for m in whole.measurements)


@pytest.mark.parametrize(("launcher", "more"), [("mpirun -n 2 ", "mpirun -n 3 "), ("", "")])
def test_nothing_is_measured_that_was_not_asked_for(
    shell: Any, tmp_path: Path, launcher: str, more: str
) -> None:
    """Without --ranks these are the launch's under mpirun, else powers of two up to the cores."""
    command = f"{launcher}collcast run barrier --repetitions 3 --warmup 1 -o run.h5"
    assert shell(command).returncode == 0
    ranks = Counter(m.ranks for m in read_campaign(tmp_path / "run.h5").measurements)
    assert ranks[2] == 1
    for again in ("", more):
        done = shell(f"{again}collcast run --resume run.h5")
        assert done.returncode == 0, done.stderr
        assert Counter(m.ranks for m in read_campaign(tmp_path / "run.h5").measurements) == ranks
    whole = read_campaign(tmp_path / "run.h5")
    if not launcher:  # numbers that were not begun are known all the same
        first = Campaign(launches=whole.launches[:1], measurements=whole.measurements[:1])
        write_campaign(tmp_path / "run.h5", first)
        assert shell("collcast run --resume run.h5").returncode == 0
        assert Counter(m.ranks for m in read_campaign(tmp_path / "run.h5").measurements) == ranks


def test_a_file_with_launches_of_another_protocol_is_resumed(shell: Any, tmp_path: Path) -> None:
    command = "collcast run all_reduce --ranks 2 --sizes 8,64 --repetitions 3 --warmup 1 -o run.h5"
    assert shell(command).returncode == 0
    whole = read_campaign(tmp_path / "run.h5")
    write_campaign(tmp_path / "run.h5", replace(whole, measurements=whole.measurements[:1]))
    assert shell(f"{command} --append --protocol throughput").returncode == 0
    done = shell("collcast run --resume run.h5")
    assert done.returncode == 0, done.stderr
    found = read_campaign(tmp_path / "run.h5")
    modes = Counter(found.launch_of(m).protocol.mode for m in found.measurements)
    assert modes == {"latency": 2, "throughput": 2}


def test_a_recorded_name_is_text(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["collcast", "run", "-o", "a\udcff.h5"])
    assert command_line()[-1] == "a\\xff.h5"
