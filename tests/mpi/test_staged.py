"""Host-staged MPI with a stub of the CUDA driver: copies that count, on memory of the host."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from collcast.bench.case import Case
from collcast.bench.errors import TransportError
from collcast.bench.measure import measure
from collcast.bench.transports.staged import StagedTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STUB = """
#include <string.h>
long down, up;
int cuMemcpyDtoH_v2(void *host, unsigned long long device, size_t bytes) {
  down++; memcpy(host, (void *)device, bytes); return 0; }
int cuMemcpyHtoD_v2(unsigned long long device, const void *host, size_t bytes) {
  up++; memcpy((void *)device, host, bytes); return 0; }
"""


@pytest.fixture
def stub(compile_c: Callable[[str, str], Path]) -> Path:
    return compile_c("cuda", STUB)


def host_memory(size_bytes: int) -> Any:
    return np.zeros(size_bytes, np.uint8)


@pytest.mark.parametrize(
    "collective",
    [
        "all_reduce",
        "all_to_all",
        "all_gather",
        "reduce_scatter",
        "broadcast",
        "send_recv",
        "barrier",
    ],
)
@pytest.mark.parametrize("placement", ["in_place", "out_of_place"])
def test_the_result_comes_back_to_the_device(
    world: Any, session: Any, stub: Path, collective: str, placement: str
) -> None:
    """Right results, and one copy each way per operation."""
    size = 0 if collective == "barrier" else 64 * world.size
    transport = StagedTransport(world, str(stub), host_memory)
    staged = replace(session(), transports={"staged": transport})
    case = Case(
        collective=collective, message_bytes=size, transport="staged", memory="device",
        placement=placement,
    )  # fmt: skip
    counts = [ctypes.c_long.in_dll(ctypes.CDLL(str(stub)), name) for name in ("down", "up")]
    before = [count.value for count in counts]
    measurement = measure(case, staged)
    wrong = world.bcast(measurement.wrong if measurement else None)
    assert wrong == (None if collective == "barrier" else 0)
    operations = 0 if collective == "barrier" else 1 + 2 + 5  # verified, warm-up, timed
    assert [count.value - b for count, b in zip(counts, before, strict=True)] == [operations] * 2


def test_a_missing_driver_is_one_clear_error(world: Any) -> None:
    with pytest.raises(TransportError, match=r"staged: found no CUDA driver .*libnone"):
        StagedTransport(world, "libnone.so.1", host_memory)
