"""What a launch is told, and what is read from the launcher's variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from collcast.bench import launcher
from collcast.bench.errors import TransportError
from collcast.bench.launcher import Launcher, find_launcher, launched_rank, launched_size


@pytest.mark.parametrize(
    ("variables", "rank", "size"),
    [
        ({}, None, None),
        ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"}, 3, 4),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, 1, 2),
        ({"SLURM_PROCID": "0"}, None, None),  # a batch script, not yet a launch
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, 5, 8),
        ({"OMPI_COMM_WORLD_RANK": "x"}, None, None),
    ],
)
def test_rank_and_size_come_from_the_launcher(
    variables: dict[str, str], rank: int | None, size: int | None
) -> None:
    assert launched_rank(variables) == rank
    assert launched_size(variables) == size


def test_root_and_oversubscription_are_handled_where_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in list(os.environ):
        if name.startswith(("OMPI_", "PRTE_", "MPIR_")):
            monkeypatch.delenv(name)
    open_mpi = Launcher(Path("mpiexec"), "openmpi")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert open_mpi.environment(2, 2) == {}
    assert "PRTE_MCA_rmaps_default_mapping_policy" in open_mpi.environment(3, 2)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert open_mpi.environment(2, 2) == {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    assert Launcher(Path("mpiexec"), "mpich").environment(3, 2) == {"MPIR_CVAR_NOLOCAL": "1"}
    assert Launcher(Path("srun"), "other").environment(3, 2) == {}
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "0")  # what the user has set stays
    assert "OMPI_ALLOW_RUN_AS_ROOT" not in open_mpi.environment(2, 2)


@pytest.mark.parametrize(
    ("flavour", "expected"), [("openmpi", ["-n", "2", "-x", "NCCL_ALGO"]), ("mpich", ["-n", "2"])]
)
def test_what_a_launch_is_given_reaches_other_hosts(
    tmp_path: Path, flavour: str, expected: list[str]
) -> None:
    """Open MPI takes along its own variables only, MPICH all."""
    says = tmp_path / "mpiexec"
    says.write_text('#!/bin/sh\necho "$NCCL_ALGO" "$@"\n')
    says.chmod(0o755)
    extra = {"NCCL_ALGO": "Ring", "OMPI_MCA_a": "1"}
    process = Launcher(says, flavour).start(2, ["run"], extra)
    printed, _ = process.communicate(timeout=60)
    words = printed.split()
    assert words[: len(expected) + 1] == ["Ring", *expected]
    assert words[-2:] == ["collcast.bench", "run"]
    assert "OMPI_MCA_a" not in words


@pytest.mark.parametrize(
    ("says", "flavour"),
    [
        ("mpiexec (Open MPI) 5.0.11", "openmpi"),
        ("HYDRA build details:", "mpich"),
        ("Intel(R) MPI Library for Linux", "other"),
    ],
)
def test_the_mpi_is_known_from_what_its_launcher_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, flavour: str
) -> None:
    script = tmp_path / "mpiexec"
    script.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(launcher.sys, "executable", str(tmp_path / "python"))
    assert find_launcher() == Launcher(script, flavour)


def test_no_launcher_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TransportError, match=r"mpiexec: found none .*collcast\[openmpi\]"):
        find_launcher()
