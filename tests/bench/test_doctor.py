"""Findings from what was seen: each trap is named, with what to do."""

from __future__ import annotations

import json
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from collcast.bench import doctor
from collcast.bench.cli import main
from collcast.bench.doctor import files, gpu, limits, machine, mpi
from collcast.bench.doctor.check import Check
from collcast.bench.errors import CaseError


def seen(*cores, **fields):
    """What each process of a probe saw; by default two ranks with a core each."""
    facts = {
        "size": 2, "library": "Open MPI v5", "path": "/x/libmpi.so.40", "build": "openmpi",
        "thread_level": "serialized",
    }  # fmt: skip
    return [
        mpi.Seen(**{**facts, "rank": rank, "cores": list(own), **fields})
        for rank, own in enumerate(cores or ({0}, {1}))
    ]


def by_name(checks):
    return {check.name: check for check in checks}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})


def test_all_is_well():
    found = by_name(mpi.judge(seen(), "openmpi"))
    assert {check.state for check in found.values()} == {"ok"}
    assert set(found) == {"mpi world", "mpi library", "thread level", "binding"}
    assert "libmpi.so.40" in found["mpi library"].detail
    assert "openmpi" in found["mpi library"].detail


def test_a_binding_of_nccl_without_the_library_says_so(monkeypatch):
    whole, core = ModuleType("nccl"), ModuleType("nccl.core")
    whole.core, core.get_version = core, lambda: SimpleNamespace(libnccl=None)
    for module in (whole, core):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "cupy", None)
    check = gpu._check_nccl()
    assert "found none (nccl4py: found no libnccl; cupy: " in check.detail


def test_the_launcher_of_another_mpi_is_a_failure():
    (found,) = mpi.judge(seen(size=1, library="MPICH 4"), "openmpi")
    assert (found.name, found.state) == ("mpi world", "failure")
    assert found.detail == (
        "2 processes are 2 worlds of 1 rank: mpiexec (openmpi) does not belong to MPICH 4"
    )
    assert "MPI4PY_LIBMPI" in found.fix


@pytest.mark.parametrize(("size", "state"), [(2, "ok"), (1, "failure")])
def test_doctor_under_mpirun_looks_at_its_own_launch(monkeypatch, size, state):
    library = SimpleNamespace(
        COMM_WORLD=SimpleNamespace(size=size), Get_library_version=lambda: "MPICH 4\nmore"
    )
    monkeypatch.setattr(mpi, "load_mpi", lambda: library)
    monkeypatch.setattr(os, "environ", {})
    assert doctor.check_launch() == []
    monkeypatch.setattr(os, "environ", {"PMI_SIZE": "2"})
    (found,) = doctor.check_launch()
    assert (found.name, found.state) == ("launch", state)
    assert ("does not belong to MPICH 4" in found.detail) == (size == 1)
    assert bool(found.fix) == (size == 1)


def test_only_rank_0_of_an_mpirun_speaks(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "check_launch", list)
    monkeypatch.setattr(
        doctor, "run_checks", lambda _folder: [Check(name="a", state="ok", detail="b")]
    )
    for rank, said in (("1", ""), ("0", "ok       a  b\n")):
        monkeypatch.setenv("PMI_RANK", rank)
        with pytest.raises(SystemExit) as stopped:
            main(["doctor"])
        assert (stopped.value.code, capsys.readouterr().out) == (0, said)


@pytest.mark.parametrize(
    ("cores", "state", "words"),
    [
        (({0}, {1}), "ok", "cores of its own"),
        (({0, 2}, {1, 3}), "ok", "cores of its own"),
        (({0, 1}, {0, 1}), "warning", "not bound"),
        (({0}, {0}), "failure", "bound to 1 core"),
    ],
)
def test_binding(cores, state, words):
    found = by_name(mpi.judge(seen(*cores), "mpich"))["binding"]
    assert found.state == state
    assert words in found.detail
    assert ("-bind-to core" in found.fix) == (state != "ok")


def test_one_core_is_not_bound_wrongly(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    found = by_name(mpi.judge(seen({0}, {0}), "mpich"))["binding"]
    assert (found.state, found.detail) == ("warning", "1 core for 2 ranks")


@pytest.mark.parametrize("level", ["single", "multiple"])
def test_thread_levels_that_were_not_asked_for(level):
    assert (
        by_name(mpi.judge(seen(thread_level=level), "openmpi"))["thread level"].state == "warning"
    )


def test_a_launcher_that_fails_is_quoted(tmp_path, monkeypatch):
    path = tmp_path / "mpiexec"
    path.write_text("#!/bin/sh\necho 'no slots' >&2\necho ------ >&2\nexit 5\n")
    path.chmod(0o755)
    monkeypatch.setattr(mpi, "find_launcher", lambda: mpi.Launcher(path, "other"))
    launcher, world = mpi.check_mpi()
    assert (launcher.state, world.state, world.detail) == ("ok", "failure", "no slots")


@pytest.mark.parametrize(
    ("current", "available", "state", "words"),
    [
        ("tsc", "tsc hpet", "ok", ""),
        ("hpet", "tsc hpet", "warning", "echo tsc"),
        ("acpi_pm", "acpi_pm", "warning", "tsc=reliable"),
    ],
)
def test_clock_sources(tmp_path, current, available, state, words):
    (tmp_path / "current_clocksource").write_text(current + "\n")
    (tmp_path / "available_clocksource").write_text(available + "\n")
    found = machine.check_clock_source(tmp_path)
    assert found.state == state
    assert words in found.fix
    assert machine.check_clock_source(tmp_path / "none").state == "missing"


def test_a_folder_that_can_be_written(tmp_path):
    found = by_name(files.check_files(tmp_path))
    assert set(found) == {
        "file system", "space", "durable write", "rename", "shared map", "locks",
    }  # fmt: skip
    assert "failure" not in {check.state for check in found.values()}
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path):
    found = by_name(files.check_files(tmp_path / "none"))
    assert found["write"].state == "failure"
    assert "No such file" in found["write"].detail


@pytest.mark.parametrize("broken", ["fsync", "posix_fallocate", "link"])
def test_a_file_system_that_lacks_something(tmp_path, monkeypatch, broken):
    def refuse(*_args, **_more):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, broken, refuse)
    failed = [check for check in files.check_files(tmp_path) if check.state == "failure"]
    assert [check.detail for check in failed] == ["Operation not supported"]
    assert "--output" in failed[0].fix


def test_shared_memory(tmp_path):
    assert limits.check_shared_memory(tmp_path / "none").state == "failure"
    assert limits.check_shared_memory(tmp_path).state in {"ok", "warning"}


def test_a_finding_says_what_to_do():
    with pytest.raises(CaseError, match="fix"):
        Check(name="x", state="failure", detail="broken")
    with pytest.raises(CaseError, match="state"):
        Check(name="x", state="bad", detail="broken")


@pytest.mark.parametrize(("state", "status"), [("warning", 0), ("missing", 0), ("failure", 1)])
def test_the_command_prints_and_tells(monkeypatch, capsys, state, status):
    one = Check(name="mpi world", state=state, detail="odd", fix="mend it")
    monkeypatch.setattr(doctor, "run_checks", lambda _folder: [one])
    for form in ("table", "json"):
        with pytest.raises(SystemExit) as caught:
            main(["doctor", "--format", form])
        assert caught.value.code == status
        text = capsys.readouterr().out
        if form == "json":
            wanted = {"name": "mpi world", "state": state, "detail": "odd", "fix": "mend it"}
            assert json.loads(text) == {"status": status, "checks": [wanted]}
        else:
            assert text.splitlines() == [
                f"{state:<8} mpi world  odd",
                " " * 20 + "-> mend it",
            ]
