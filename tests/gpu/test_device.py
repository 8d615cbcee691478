"""Device buffers on a real GPU: right results through staged MPI, on one rank and more."""

from __future__ import annotations

from typing import Any

import pytest

from collcast.bench.device import device_count
from collcast.bench.store import read_campaign
from collcast.bench.stub import stub_path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(device_count() == 0, reason="no CUDA device that CuPy can use"),
    pytest.mark.skipif(bool(stub_path()), reason="a stub stands in for the GPU"),
]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("placement", ["in_place", "out_of_place"])
def test_staged_mpi_is_right_on_device_buffers(
    shell: Any, tmp_path: Any, ranks: int, placement: str
) -> None:
    done = shell(
        f"collcast run all_reduce all_to_all --ranks {ranks} --sizes 8:1M:x8 --memory device "
        f"--transport staged --ranks-per-gpu {ranks} --placement {placement} --repetitions 5 "
        "-o run.h5"
    )
    assert done.returncode == 0, done.stderr
    campaign = read_campaign(tmp_path / "run.h5")
    assert {m.wrong for m in campaign.measurements} == {0}
    assert all(len(gpu) == 32 for gpu in campaign.launches[0].environment.location.gpu)
    facts = campaign.launches[0].environment.gpus
    if facts:  # nvidia-ml-py is installed
        assert all(gpu.name and gpu.driver for gpu in facts)
        observed = campaign.measurements[0].observed
        assert all(reading.sm_mhz > 0 for pair in observed.devices.values() for reading in pair)
    labelled = {"ranks_per_gpu"} if ranks > device_count() else set()
    assert labelled <= set(campaign.measurements[0].labels)
