"""Filling and checking on a real GPU: the same bits as on the host, for every dtype."""

from __future__ import annotations

import numpy as np
import pytest

from collcast.bench import pattern
from collcast.bench.case import BYTES_PER_ELEMENT, OPERATIONS, Case
from collcast.bench.device import device_count
from collcast.bench.stub import stub_path

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(device_count() == 0, reason="no CUDA device that CuPy can use"),
    pytest.mark.skipif(bool(stub_path()), reason="a stub stands in for the GPU"),
]

RANKS = 3
ELEMENTS = RANKS * ((1 << 18) + 5)  # more than one chunk


@pytest.mark.parametrize("dtype", sorted(BYTES_PER_ELEMENT))
@pytest.mark.parametrize(
    ("collective", "operation"),
    [*(("all_reduce", operation) for operation in OPERATIONS), ("all_to_allv", "sum")],
)
def test_the_device_holds_the_host_s_bits(dtype: str, collective: str, operation: str) -> None:
    import cupy

    case = Case(
        collective=collective,
        message_bytes=ELEMENTS * BYTES_PER_ELEMENT[dtype],
        dtype=dtype,
        operation=operation,
        counts="zipf:1.2:0" if collective == "all_to_allv" else "uniform",
    )
    there = cupy.zeros(ELEMENTS, case.storage_dtype)
    here = np.zeros(ELEMENTS, case.storage_dtype)
    for fill in (pattern.fill_send, pattern.poison):
        fill(case, 1, RANKS, 7, there)
        fill(case, 1, RANKS, 7, here)
        assert there.get().tobytes() == here.tobytes()
    unsigned = f"u{case.element_bytes}"
    there.view(unsigned)[...] = ~there.view(unsigned)
    assert pattern.verify(case, 1, RANKS, 7, there) == pattern.EXACT
    there.view(unsigned)[-2:] ^= cupy.asarray(1 << 4, unsigned)
    found = pattern.verify(case, 1, RANKS, 7, there)
    assert (found.wrong, found.first) == (2, ELEMENTS - 2)
    assert found == pattern.verify(case, 1, RANKS, 7, there.get())
