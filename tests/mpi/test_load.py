"""Ranks that load the network while others measure, and groups that measure at once."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench.aggressor import Load, load_network
from collcast.bench.board import Board, read_board
from collcast.bench.campaign import in_order, run_sweep
from collcast.bench.case import LOADS, Case
from collcast.bench.device import Device
from collcast.bench.groups import take_part
from collcast.bench.protocol import Protocol
from collcast.bench.provenance import collect
from collcast.bench.store import read_campaign
from collcast.bench.sweep import sweep

PROTOCOL = Protocol(repetitions=20, warmup=2)


def run_here(world: Any, tmp_path: Path, cases: tuple[Case, ...], **how: Any) -> Any:
    """Run cases as `rank.measure_as_rank` does; the campaign on every rank that took part."""
    folder = world.bcast(tmp_path)
    hosts = ["n"] * world.size
    part = take_part(world, hosts, range(world.size), **how)
    if part is None:
        return None
    loading = how.get("loading", 0)
    environment = collect(part.launch, (), {}, Device())
    board = Board(folder, world.rank)
    if part.measuring is None:
        load_network(part.launch, part.group, board, nullcontext)
    else:
        load = Load(part.launch, part.launch.size - loading) if loading else None
        arguments = (cases, PROTOCOL, environment, folder / "run.h5", 0, lambda _d, _c: None)
        run_sweep(part.measuring, *arguments, board, group=part.group, load=load)
    part.launch.Barrier()
    campaign = read_campaign(folder / "run.h5")
    part.launch.Barrier()
    part.free()
    return campaign, read_board(folder)


@pytest.mark.parametrize("pattern", LOADS[1:])
def test_every_case_is_measured_quiet_and_beside_a_load(
    world: Any, tmp_path: Path, pattern: str
) -> None:
    """Aggressors really send: at 1 ms a message of 128 KiB they would reach 0.1 GB/s."""
    if world.size < 4:
        pytest.skip("needs two ranks that load and two that measure")
    loading = world.size - 2
    loads = ("", f"{pattern}:{loading}")
    quiet = sweep(("all_reduce", "barrier"), "8,4096", 2)
    cases = tuple(replace(case, load=load) for case in quiet for load in loads)
    campaign, statuses = run_here(world, tmp_path, cases, ranks=world.size, loading=loading)
    assert {found.case for found in campaign.measurements} == set(cases)
    assert campaign.launches[0].environment.ranks == world.size
    for found in campaign.measurements:
        assert found.ranks == 2
        assert found.wrong in {0, None}
        assert found.sample.repetitions == 20
        assert ("loaded" in found.labels) == bool(found.case.load)
        assert (found.load_bytes_per_s > 1e7) == bool(found.case.load)
    assert len(statuses) == world.size
    stirred = [status.iteration for status in statuses if not status.measures]
    assert len(stirred) == loading


def test_a_pair_of_quiet_and_loaded_stays_together_in_either_order() -> None:
    cases = tuple(
        Case(collective="all_reduce", message_bytes=8 << k, load=load)
        for k in range(20)
        for load in ("", "incast:2")
    )
    ordered = [one for (one,) in in_order(cases, 2, Protocol(seed=3), 0)]
    assert sorted(ordered, key=cases.index) == list(cases)
    firsts = ordered[::2]
    assert [case.message_bytes for case in firsts] == [case.message_bytes for case in ordered[1::2]]
    assert [case.message_bytes for case in firsts] != sorted(case.message_bytes for case in firsts)
    assert 0 < sum(not case.load for case in firsts) < 20
    assert ordered == [one for (one,) in in_order(cases, 2, Protocol(seed=3), 0)]


@pytest.mark.parametrize("ranks", [1, 2])
def test_groups_measure_at_once(world: Any, tmp_path: Path, ranks: int) -> None:
    """As many as fit; sample by sample their times overlap, and each is a case of its own."""
    groups = world.size // ranks
    cases = (Case(collective="all_reduce", message_bytes=4096, load=f"concurrent:{world.size}"),)
    found = run_here(world, tmp_path, cases, ranks=ranks, concurrent=True)
    assert (found is None) == (world.rank >= groups * ranks)
    if found is None:
        return
    measurements = found[0].measurements
    assert [one.group for one in measurements] == list(range(groups))
    assert {one.wrong for one in measurements} == {0}
    assert {one.ranks for one in measurements} == {ranks}
    if groups < 2:
        return
    first, second = measurements[0].sample, measurements[1].sample
    assert first.repetitions == second.repetitions == 20
    # A barrier of all groups starts every sample: none begins before another's last one ended.
    assert np.all(second.start_ns[1:].min(axis=1) >= first.stop_ns[:-1].max(axis=1))
    assert np.all(first.start_ns[1:].min(axis=1) >= second.stop_ns[:-1].max(axis=1))


def test_a_wrong_element_is_charged_to_its_group(world: Any, session: Any) -> None:
    """The last rank's output is damaged: only the last group is wrong."""
    from collcast.bench.measure import measure_groups
    from collcast.bench.transports import Transport, open_transport
    from collcast.native import BUILTINS, Step

    alone = world.Split(world.rank, 0)
    made = session()

    class Faulty(Transport):
        name = "mpi"

        def operation(self, case: Case, buffers: Any) -> tuple[Step, ...]:
            where = (buffers.receive.ctypes.data + 24,)
            copy = made.transports["mpi"].operation(case, buffers)
            last = world.rank == world.size - 1
            return (*copy, Step(BUILTINS["increment"], where, "complete")) if last else copy

        def describe(self, code: int) -> str:
            return ""

    made = replace(made, communicator=alone, together=world)
    made = replace(made, transports={"mpi": open_transport("mpi", alone)})
    case = Case(collective="all_reduce", message_bytes=64, dtype="int64")
    found = measure_groups(case, replace(made, transports={"mpi": Faulty()}))
    assert [one.wrong for one in found] == ([0] * (world.size - 1) + [2] if world.rank == 0 else [])
    where = [None] * (world.size - 1) + [world.size - 1]  # the launch's rank, not its group's
    assert [one.first_wrong_rank for one in found] == (where if world.rank == 0 else [])
    alone.Free()


def test_hosts_keep_their_names_in_smaller_groups(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pretended hosts are those of the world: a group of the first host's ranks has one host."""
    monkeypatch.setenv("COLLCAST_FAKE_NODES", "2")
    from collcast.bench.provenance import host_name

    own = host_name(world)
    group = world.Split(int(own.rpartition("#")[2]), world.rank)
    assert collect(group, (), {}, Device(), host=own).hosts == 1
    group.Free()
