"""What an H200 measured, shared by two ranks at once: a file of `tests/gpu/check.sh`."""

from __future__ import annotations

from pathlib import Path

import pytest

from collcast.analysis.dataset import dataset_of
from collcast.analysis.fit import fit
from collcast.bench.collectives import TABLE
from collcast.bench.store import read_campaign

FILE = Path(__file__).parent.parent / "data" / "h200-shared.h5"


@pytest.fixture(scope="module")
def campaign():
    return read_campaign(FILE)


def test_every_collective_was_right(campaign) -> None:
    measured = {m.case.collective for m in campaign.measurements}
    assert measured >= {"all_reduce", "all_to_all", "all_gather", "reduce_scatter", "broadcast"}
    assert measured <= set(TABLE)
    assert not campaign.failed
    assert {m.wrong for m in campaign.measurements} == {0, None}  # a barrier has no result
    for launch in campaign.launches:
        environment = launch.environment
        assert environment.nccl_version == "2.30.7 (nccl4py)"
        assert environment.gpus[0].name == "NVIDIA H200"
        assert "CUDA_MPS_PIPE_DIRECTORY" in environment.variables
        assert environment.device_timer_ns == 32


def test_a_gate_hides_the_launch(campaign) -> None:
    """The device's time holds none of it, so it is the shorter one; a call alone takes longer."""
    for measured in campaign.measurements:
        host_ns = measured.sample.stop_ns - measured.sample.start_ns
        assert (measured.sample.device_ns > 0).all()
        assert (measured.sample.device_ns <= host_ns + 2_000).mean() > 0.9, measured.case


def test_no_figure_of_a_shared_device_or_of_a_copy_is_fitted(campaign) -> None:
    for measured in campaign.measurements:
        assert set(measured.labels) & {"copy", "ranks_per_gpu"}, measured.case
    for key, rows in dataset_of(campaign).series().items():
        assert fit(key, rows).curve is None
