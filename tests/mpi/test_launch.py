"""A launch as a whole: environment, labels, file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collcast.bench.campaign import labels_of, run_sweep
from collcast.bench.device import Device
from collcast.bench.errors import EnvironmentMismatchError
from collcast.bench.groups import check_counts, rank_order, split_off, wait_quietly
from collcast.bench.protocol import Protocol
from collcast.bench.provenance import collect
from collcast.bench.store import read_campaign
from collcast.bench.sweep import sweep
from collcast.bench.topology import Place
from collcast.bench.world import join_world


@pytest.fixture
def shared_path(world: Any, tmp_path: Path) -> Path:
    """One path that all ranks agree on."""
    return world.bcast(tmp_path / "run.h5")


def test_the_environment_is_the_same_on_every_rank(world: Any) -> None:
    environment = collect(world, ("collcast", "run"), {}, Device())
    assert set(world.allgather(environment.created)) == {environment.created}
    assert environment.ranks == world.size
    assert environment.hosts == 1
    assert environment.location.local_rank == tuple(range(world.size))
    assert environment.mpi_thread_level == "serialized"
    assert "MPI" in environment.mpi_library
    assert Path(environment.mpi_library_path).exists()
    assert environment.clock.name == "CLOCK_MONOTONIC_RAW"
    assert environment.clock.resolution_ns > 0
    assert environment.packages["numpy"] == np.__version__


def test_pretended_nodes_split_the_ranks_in_order(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLCAST_FAKE_NODES", "2")
    location = collect(world, (), {}, Device()).location
    suffixes = [host.rpartition("#")[2] for host in location.host]
    half = (world.size + 1) // 2
    assert suffixes == ["0"] * half + ["1"] * (world.size - half)
    assert location.local_rank == (*range(half), *range(world.size - half))


def test_a_group_taken_out_of_a_launch_stays_on_its_pretended_nodes(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLCAST_FAKE_NODES", "2")
    hosts = collect(world, (), {}, Device()).location.host
    order = rank_order(hosts, "round-robin")
    group = split_off(world, 2, order)
    if group is not None:
        found = collect(group, (), {}, Device()).location.host
        assert found == tuple(hosts[rank] for rank in order[:2])
        group.Free()
    group = split_off(world, 2, rank_order(hosts, "block"))
    if group is not None:
        found = collect(group, (), {}, Device()).location.host
        assert found == hosts[:2]
        group.Free()


def test_places_come_from_the_topology_file(world: Any) -> None:
    import socket

    places = {socket.gethostname(): Place(leaf="l1", pod="p1")}
    location = collect(world, (), places, Device()).location
    assert location.leaf == ("l1",) * world.size
    assert location.pod == ("p1",) * world.size


def test_secrets_are_not_recorded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("UCX_TLS", "shm")
    variables = collect(world, (), {}, Device()).variables
    assert variables["UCX_TLS"] == "shm"
    assert "AWS_SECRET_ACCESS_KEY" not in variables


def test_a_sweep_is_written_case_by_case(world: Any, shared_path: Path) -> None:
    """After every case the file already holds it: the progress callback reads it back."""
    environment = collect(world, (), {}, Device())
    cases = sweep(("all_reduce", "barrier"), "8:32", world.size)
    seen = []

    def progress(done: int, case: Any) -> None:
        campaign = read_campaign(shared_path)
        assert len(campaign.measurements) == done
        assert campaign.measurements[-1].case == case
        seen.append(case)

    run_sweep(world, cases, Protocol(repetitions=3), environment, shared_path, 0, progress)
    world.Barrier()
    assert sorted(seen, key=cases.index) == (list(cases) if world.rank == 0 else [])
    campaign = read_campaign(shared_path)
    assert campaign.launches[0].environment == environment
    assert {m.labels for m in campaign.measurements} == {labels_of(environment, world.size)}
    assert all(m.ranks == world.size for m in campaign.measurements)
    world.Barrier()


def test_labels_follow_from_ranks_cores_and_devices() -> None:
    from collcast.bench.environment import Environment, Location

    def labels(ranks: int, cores: int, gpus: tuple[str, ...] = ()) -> tuple[str, ...]:
        return labels_of(
            Environment(
                ranks=ranks,
                location=Location(host=("n",) * ranks, gpu=gpus),
                cores_per_host={"n": cores},
            ),
            ranks,
        )

    assert labels(1, 4) == ("copy",)
    assert labels(2, 2) == ()
    assert labels(3, 2) == ("oversubscribed",)
    assert labels(2, 4, ("a", "b")) == ()
    assert labels(2, 4, ("a", "a")) == ("ranks_per_gpu",)
    assert labels(2, 4, ("", "")) == ()
    few = Environment(ranks=2, cores_per_host={"n": 2})
    assert labels_of(few, 2, crowded=True, skewed=True) == ("oversubscribed", "skew")


def test_the_world_must_be_the_one_that_was_asked_for(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = join_world()
    assert joined.size == world.size
    joined.Free()
    check_counts((1, world.size), world.size)
    with pytest.raises(EnvironmentMismatchError, match="ranks: found"):
        check_counts((world.size + 1,), world.size)
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):
        monkeypatch.setenv(name, str(world.size + 7))
    with pytest.raises(EnvironmentMismatchError, match=f"expected {world.size + 7}"):
        join_world()


def test_ranks_that_are_left_out_sleep(world: Any) -> None:
    """While the group works for half a second, the others use less than 5 % of a core."""
    group = split_off(world, world.size - 1, rank_order(["n"] * world.size, "block"))
    assert (group is None) == (world.rank == world.size - 1)
    began_s, used_s = time.monotonic(), time.process_time()
    if group is not None:
        assert group.rank == world.rank
        time.sleep(0.5)
        group.Free()
    wait_quietly(world)
    if group is None:
        assert time.monotonic() - began_s >= 0.45
        assert time.process_time() - used_s < 0.05 * 0.5


def test_groups_take_hosts_in_turn_or_one_after_the_other(world: Any) -> None:
    hosts = ["a", "a", "b", "b", "b"]
    assert rank_order(hosts, "block") == [0, 1, 2, 3, 4]
    assert rank_order(hosts, "round-robin") == [0, 2, 1, 3, 4]
    assert rank_order(["a", "b", "a", "b"], "block") == [0, 2, 1, 3]
    order = list(reversed(range(world.size)))
    group = split_off(world, world.size, order)
    assert group.rank == world.size - 1 - world.rank
    group.Free()
