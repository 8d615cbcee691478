"""The gate on a real GPU, by the driver's own wait and by the kernel that spins."""

from __future__ import annotations

import time

import numpy as np
import pytest

from collcast.bench.device import device_count
from collcast.bench.driver import Driver
from collcast.bench.gate import Gate
from collcast.bench.stub import stub_path
from collcast.native import run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(device_count() == 0, reason="no CUDA device that CuPy can use"),
    pytest.mark.skipif(bool(stub_path()), reason="a stub stands in for the GPU"),
]

NOT_SUPPORTED, NOT_READY = 801, 600  # CUDA_ERROR_*


@pytest.mark.parametrize("refused", [False, True])
def test_a_gate_holds_what_is_queued_behind_it(
    monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    import cupy

    cupy.cuda.Device(0).use()
    cupy.cuda.runtime.free(0)
    driver = Driver()
    call, query = driver.try_call, driver.address("cuStreamQuery")
    if refused:
        monkeypatch.setattr(driver, "try_call", lambda *_: NOT_SUPPORTED)
    stream = driver.create_stream()
    gate = Gate(driver, stream)
    hold = gate.hold()
    driver.synchronise(stream)
    assert (hold.function == driver.address("cuLaunchKernel")) == refused
    for _ in range(3):
        run((gate.shut(), hold), *np.zeros((2, 1), np.int64))
        time.sleep(0.02)
        assert call(query, stream) == NOT_READY
        run((gate.open(),), *np.zeros((2, 1), np.int64))
        driver.synchronise(stream)
        assert call(query, stream) == 0
    driver.destroy_stream(stream)
