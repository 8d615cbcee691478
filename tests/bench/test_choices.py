"""``--algorithm`` and ``--vary``: what they measure, record and refuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench.case import Case
from collcast.bench.commands.choices import (
    check_algorithms,
    chosen_here,
    combinations,
    parse_varied,
    variables_of,
)
from collcast.bench.errors import CaseError
from collcast.bench.store import campaign_exists, read_campaign, remove_campaign
from collcast.bench.support import refusal

if TYPE_CHECKING:
    from pathlib import Path

QUICK = "--sizes 48 --repetitions 3 --warmup 1 --quiet"
TUNED = "OMPI_MCA_coll_tuned_allreduce_algorithm"


def test_an_algorithm_is_measured_where_it_exists(shell: Any, tmp_path: Path) -> None:
    """An axis of the sweep; nodes are the pretended ones, results are verified."""
    names = "native,ring,two_level,bruck"
    done = shell(
        f"collcast run all_reduce all_to_all --ranks 2,3 --algorithm {names} {QUICK} -o run.h5",
        COLLCAST_FAKE_NODES="2",
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    found = {(m.ranks, m.case.collective, m.case.algorithm) for m in campaign.measurements}
    assert found == {
        (ranks, *cell)
        for ranks in (2, 3)
        for cell in (
            ("all_reduce", "native"),
            ("all_reduce", "ring"),
            ("all_reduce", "two_level"),
            ("all_to_all", "native"),
            ("all_to_all", "bruck"),
        )
    }
    assert {m.wrong for m in campaign.measurements} == {0}


@pytest.mark.parametrize(
    ("algorithms", "collectives", "transports", "message"),
    [
        (
            "ring",
            "all_to_all",
            "mpi",
            "found ring for all_to_all over mpi, expected some of native",
        ),
        ("ring", "all_reduce barrier", "mpi", "found ring for barrier over mpi, expected some of"),
        ("native,bruck", "all_reduce", "mpi", "found 'bruck' for all_reduce, expected some of"),
        ("native,magic", "all_reduce", "mpi", "found 'magic' for all_reduce, expected some of"),
        ("ring", "all_reduce", "nccl", "found ring for all_reduce over nccl, expected some of nat"),
    ],
)
def test_an_algorithm_that_nothing_has_is_refused(
    algorithms: str, collectives: str, transports: str, message: str
) -> None:
    with pytest.raises(CaseError, match=f"algorithm: {message}"):
        check_algorithms(algorithms.split(","), collectives.split(), transports.split(","))


def test_algorithms_may_be_of_different_collectives_and_transports() -> None:
    check_algorithms(["ring", "bruck"], ["all_reduce", "all_to_all"], ["mpi"])
    check_algorithms(["native", "ring"], ["all_reduce"], ["nccl", "mpi"])


def test_algorithms_by_name_stay_off_device_memory_that_the_host_cannot_touch() -> None:
    case = Case(collective="all_to_all", message_bytes=64, algorithm="bruck", memory="device")
    assert "mpi: found algorithm bruck on device memory" in refusal(case)
    assert refusal(replace(case, transport="staged")) == ""
    assert refusal(replace(case, algorithm="native")) == ""
    assert refusal(replace(case, memory="host")) == ""


@pytest.mark.parametrize("texts", [["A"], ["A="], ["A=1,"], ["1A=1"], ["A=1,1"], ["A=1", "A=2"]])
def test_what_varies_must_be_a_name_and_different_values(texts: list[str]) -> None:
    with pytest.raises(CaseError, match=r"vary: found .*, expected NAME=VALUE,VALUE"):
        parse_varied(texts)


def test_all_combinations_are_measured() -> None:
    assert combinations({}) == [{}]
    varied = parse_varied(["A=1,2", "B=x,y"])
    assert [tuple(one.values()) for one in combinations(varied)] == [
        ("1", "x"), ("1", "y"), ("2", "x"), ("2", "y"),
    ]  # fmt: skip


def test_open_mpi_is_told_to_heed_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across hosts its component han would choose, and tuned what is left."""
    rules, han = "OMPI_MCA_coll_tuned_use_dynamic_rules", "OMPI_MCA_coll_han_priority"
    monkeypatch.delenv(rules, raising=False)
    monkeypatch.delenv(han, raising=False)
    assert variables_of({TUNED: "4"}) == {TUNED: "4", rules: "1", han: "0"}
    assert variables_of({"NCCL_ALGO": "Ring"}) == {"NCCL_ALGO": "Ring"}
    assert variables_of({TUNED: "4", rules: "0"}) == {TUNED: "4", rules: "0", han: "0"}
    monkeypatch.setenv(rules, "0")
    monkeypatch.setenv(han, "40")
    assert variables_of({TUNED: "4"}) == {TUNED: "4", rules: "0", han: "40"}


def test_a_launch_that_runs_has_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    varied = {"A": ("1", "2")}
    assert chosen_here({}, {}, alone=True) == {}
    assert chosen_here({"A": ("1",)}, {"A": "1"}, alone=True) == {"A": "1"}
    assert chosen_here(varied, {"A": "2"}, alone=False) == {"A": "2"}
    for variables, alone in (({"A": "1"}, True), ({"A": "3"}, False), ({}, False)):
        with pytest.raises(CaseError, match=r"vary: found A=.* under mpirun"):
            chosen_here(varied, variables, alone=alone)
    monkeypatch.delenv("OMPI_MCA_coll_tuned_use_dynamic_rules", raising=False)
    with pytest.raises(CaseError, match="use_dynamic_rules= under mpirun, expected 1"):
        chosen_here({TUNED: ("4",)}, {TUNED: "4"}, alone=True)


def test_what_the_library_would_pass_over_is_refused(shell: Any, tmp_path: Path) -> None:
    """A name that it lacks, another library's name, and a value that it does not know."""
    for given, words in (
        (f"{TUNED}s=3", "expected a variable that this MPI has"),
        ("MPIR_CVAR_ALLREDUCE_INTRA_ALGORITHMS=ring", "expected a variable that this MPI has"),
        (f"{TUNED}=99", "expected one of"),
    ):
        done = shell(f"collcast run all_reduce --ranks 2 --vary {given} {QUICK} -o run.h5")
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("collcast: vary: found") == 1
        assert words in done.stderr
        assert not campaign_exists(tmp_path / "run.h5")


def test_one_launch_per_combination_and_resumed_as_it_began(shell: Any, tmp_path: Path) -> None:
    """Every launch's ranks saw their values; --resume measures the combination that is missing."""
    done = shell(
        f"collcast run all_reduce --ranks 2 --vary {TUNED}=3,4 --vary FI_X=b --launches 2 {QUICK} "
        "-o run.h5"
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    values = [launch.environment.varied for launch in campaign.launches]
    assert values == [{TUNED: "3", "FI_X": "b"}, {TUNED: "4", "FI_X": "b"}] * 2
    for launch in campaign.launches:
        variables = launch.environment.variables
        assert variables[TUNED] == launch.environment.varied[TUNED]
        assert variables["OMPI_MCA_coll_tuned_use_dynamic_rules"] == "1"
    keep_without_last(tmp_path / "run.h5")
    done = shell("collcast run --resume run.h5 --quiet")
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    count = Counter(campaign.launch_of(m).environment.varied[TUNED] for m in campaign.measurements)
    assert count == {"3": 2, "4": 2}


def keep_without_last(path: Path) -> None:
    from collcast.bench.store import append_launch, append_measurement, consolidate

    campaign = read_campaign(path)
    remove_campaign(path)
    for launch in campaign.launches[:-1]:
        append_launch(path, launch)
    for measurement in campaign.measurements[:-1]:
        append_measurement(path, measurement)
    consolidate(path)


def test_a_bare_mpirun_cannot_vary_but_may_name_what_it_has(shell: Any, tmp_path: Path) -> None:
    command = f"mpirun -n 2 collcast run all_reduce {QUICK} -o run.h5 --vary"
    done = shell(f"{command} FI_X=a,b", FI_X="a")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("vary: found FI_X=a under mpirun") == 1
    done = shell(f"{command} FI_X=a", FI_X="a")
    assert done.returncode == 0, done.stderr
    launch = read_campaign(tmp_path / "run.h5").launches[0]
    assert launch.environment.varied == {"FI_X": "a"}
