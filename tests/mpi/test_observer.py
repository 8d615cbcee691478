"""Around a case: every node's counters and every GPU's readings, on rank 0, once each."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from collcast.bench import device
from collcast.bench.counters import Counters
from collcast.bench.environment import Gpu
from collcast.bench.errors import CaseError
from collcast.bench.nvml import open_monitor
from collcast.bench.observer import Observer
from collcast.bench.provenance import collect

if TYPE_CHECKING:
    from pathlib import Path


class _Nvml:
    """What nvidia-ml-py has, for GPUs that get hotter with every look and do not know their ECC."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC = 1, 0
    NVML_FEATURE_ENABLED, NVML_P2P_CAPS_INDEX_NVLINK, NVML_P2P_STATUS_OK = 1, 2, 0
    NVML_TOPOLOGY_INTERNAL, NVML_TOPOLOGY_SINGLE, NVML_TOPOLOGY_MULTIPLE = 0, 10, 20
    NVML_TOPOLOGY_HOSTBRIDGE, NVML_TOPOLOGY_NODE, NVML_TOPOLOGY_SYSTEM = 30, 40, 50
    UUIDS = ("a" * 32, "b" * 32, "c" * 32)

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.temperature = 40

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, text: str) -> int:  # noqa: N802
        assert [len(part) for part in text.split("-")] == [3, 8, 4, 4, 4, 12]
        found = text.removeprefix("GPU-").replace("-", "")
        if found not in self.UUIDS:
            raise self.NVMLError
        return self.UUIDS.index(found)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.UUIDS)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:  # noqa: N802
        found = self.UUIDS[handle]
        return f"GPU-{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}".encode()

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b"NVIDIA H200"

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.82.07"

    def nvmlDeviceGetPciInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(busId=b"00000000:07:00.0")

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:  # noqa: N802
        return {1: 1980, 2: 3201}[kind]

    def nvmlDeviceGetMaxClockInfo(self, handle: int, kind: int) -> int:  # noqa: N802
        return {1: 1990}[kind]

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return 512_000

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        self.temperature += 1
        return self.temperature

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: int) -> int:  # noqa: N802
        return 4

    def nvmlDeviceGetEccMode(self, handle: int) -> tuple[int, int]:  # noqa: N802
        raise self.NVMLError

    def nvmlDeviceGetNvLinkState(self, handle: int, link: int) -> int:  # noqa: N802
        if link >= 18:
            raise self.NVMLError
        return int(link < 17)  # one is down

    def nvmlDeviceGetP2PStatus(self, one: int, other: int, kind: int) -> int:  # noqa: N802
        return 0 if {one, other} == {0, 1} else 5

    def nvmlDeviceGetTopologyCommonAncestor(self, one: int, other: int) -> int:  # noqa: N802
        return 50


def test_a_gpu_tells_what_it_knows() -> None:
    monitor = open_monitor("a" * 32, _Nvml())
    facts = monitor.facts()
    assert (facts.name, facts.driver, facts.bus) == ("NVIDIA H200", "580.82.07", "00000000:07:00.0")
    assert (facts.most_sm_mhz, facts.ecc, facts.power_limit_mw) == (1990, -1, -1)
    assert facts.nvlinks == 17
    assert facts.peers == {"b" * 32: "nvlink", "c" * 32: "sys"}
    first, second = monitor.reading(), monitor.reading()
    assert (first.sm_mhz, first.memory_mhz, first.power_mw, first.throttle) == (
        1980,
        3201,
        512_000,
        4,
    )
    assert (first.temperature_c, second.temperature_c, first.ecc_errors) == (41, 42, -1)


def test_without_such_a_gpu_there_is_no_monitor() -> None:
    assert open_monitor("d" * 32, _Nvml()) is None
    assert open_monitor("", _Nvml()) is None


def test_the_real_module_has_every_name_that_is_asked_for() -> None:
    pynvml = pytest.importorskip("pynvml")
    names = [name for name in dir(_Nvml) if name.lower().startswith("nvml")]
    assert [name for name in names if not hasattr(pynvml, name)] == []


def test_rank_0_learns_what_rose_on_every_node(world: Any, tmp_path: Path) -> None:
    """Each rank a node of its own; on odd ones nothing rises. Two ranks share a GPU."""
    path = tmp_path / "sys/class/infiniband/mlx5_0/ports/1/counters/port_xmit_wait"
    path.parent.mkdir(parents=True)
    path.write_text("7")
    monitor = open_monitor("a" * 32, _Nvml()) if world.rank == 0 else None
    observer = Observer(world, f"node{world.rank}", Counters(tmp_path), monitor, "a" * 32)
    observer.begin()
    if world.rank % 2 == 0:
        path.write_text(str(7 + 10 + world.rank))
    found = observer.end()
    if world.rank != 0:
        assert found is None
        return
    even = range(0, world.size, 2)
    assert found.counters == {f"node{r}": {"mlx5_0/1/port_xmit_wait": 10 + r} for r in even}
    before, after = found.devices["a" * 32]
    assert (before.temperature_c, after.temperature_c) == (41, 42)


def test_nothing_to_tell_is_nothing_stored(world: Any, tmp_path: Path) -> None:
    observer = Observer(world, "node", Counters(tmp_path), None)
    observer.begin()
    assert observer.end() is None


def test_mixed_devices_are_a_warning_that_names_them(world: Any) -> None:
    """Rank 0 has another model and driver than the rest."""
    name, driver = ("NVIDIA H100", "570.1") if world.rank == 0 else ("NVIDIA H200", "580.2")
    uuid = f"{world.rank:032x}"
    own = device.Device(uuid=uuid, name=name, driver="13.0")
    environment = collect(world, (), {}, own, Gpu(uuid=uuid, name=name, driver=driver))
    others = world.size - 1
    assert environment.warnings == (
        f"GPU models differ among the ranks: NVIDIA H100 on 1 ranks, NVIDIA H200 on {others} ranks",
        f"GPU drivers differ among the ranks: 570.1 on 1 ranks, 580.2 on {others} ranks",
    )
    assert [gpu.uuid for gpu in environment.gpus] == list(environment.location.gpu)
    alike = collect(world, (), {}, device.Device(uuid=uuid, name="NVIDIA H200", driver="13.0"))
    assert alike.warnings == ()
    assert alike.gpus == ()


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A CuPy of two devices, which remembers the one in use."""
    used: list[int] = []
    contexts: list[tuple[int, int]] = []
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 2,
        getDeviceProperties=lambda n: {"uuid": bytes([n + 1] * 16), "name": b"NVIDIA H200"},
        driverGetVersion=lambda: 13000,
        free=lambda pointer: contexts.append((used[-1], pointer)),
    )
    module = SimpleNamespace(
        cuda=SimpleNamespace(
            runtime=runtime, Device=lambda n: SimpleNamespace(use=lambda: used.append(n))
        ),
        used=used,
        contexts=contexts,
    )
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_ranks_take_the_gpu_of_their_node_local_number(world: Any, cupy: Any) -> None:
    if world.size > 2:
        most = -(-world.size // 2)
        with pytest.raises(
            CaseError,
            match=rf"found {most} on one NVIDIA H200, expected at most 1; --ranks-per-gpu",
        ):
            device.bind(world)
        return
    assert device.bind(world).uuid == f"{world.rank + 1:02d}" * 16
    assert cupy.used == [world.rank]
    assert cupy.contexts == [(world.rank, 0)]


def test_several_ranks_share_a_gpu_where_asked_for(
    world: Any, cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neighbours share: two by two, on both devices from three ranks on; NCCL is told."""
    monkeypatch.setattr("os.environ", {"NCCL_MAX_CTAS": "8"})
    bound = device.bind(world, 2)
    assert cupy.used == [world.rank // 2 % 2]
    assert (bound.name, bound.driver) == ("NVIDIA H200", "13.0")
    assert os.environ["NCCL_MULTI_RANK_GPU_ENABLE"] == "1"
    assert os.environ["NCCL_MAX_CTAS"] == "8"
