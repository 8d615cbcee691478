"""Host-staged MPI with a stub of the CUDA driver: copies that count, on memory of the host."""

from __future__ import annotations

from typing import Any

import pytest

from collcast.bench.case import Case
from collcast.bench.driver import Driver
from collcast.bench.errors import TransportError
from collcast.bench.measure import measure
from collcast.bench.transports.staged import StagedTransport


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
    world: Any, stub_session: Any, stub_log: Any, collective: str, placement: str
) -> None:
    """Right results, and one copy each way per operation."""
    size = 0 if collective == "barrier" else 64 * world.size
    case = Case(
        collective=collective, message_bytes=size, transport="staged", memory="device",
        placement=placement,
    )  # fmt: skip
    staged = stub_session("staged", repetitions=5, warmup=2)
    names = ("cuMemcpyDtoH_v2", "cuMemcpyHtoD_v2")
    before = [stub_log().count(name) for name in names]
    measurement = measure(case, staged)
    wrong = world.bcast(measurement.wrong if measurement else None)
    assert wrong == (None if collective == "barrier" else 0)
    operations = 0 if collective == "barrier" else 1 + 2 + 5  # verified, warm-up, timed
    calls = [stub_log().count(name) for name in names]
    assert [after - first for after, first in zip(calls, before, strict=True)] == [operations] * 2


def test_a_missing_driver_is_one_clear_error(world: Any) -> None:
    with pytest.raises(TransportError, match=r"cuda: found no driver .*libnone"):
        StagedTransport(world, Driver("libnone.so.1"))
