"""Communicators through nccl4py and CuPy, which stand-ins with their names make on the stub.

nccl4py 0.6.0: nccl.core.Communicator.init(nranks, rank, unique_id, config), .ptr, .split(color,
key, config). CuPy 14.2: NcclCommunicator(ndev, commId, rank), .comm, .commSplit(color, key).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from collcast.bench.case import Case
from collcast.bench.measure import measure
from collcast.bench.nccl import communicator as module
from collcast.bench.transports.nccl import NcclTransport


class Made:
    """A communicator of either binding."""

    def __init__(self, joined: Any) -> None:
        self._joined = joined
        self.ptr = self.comm = joined.pointer

    def split(self, color: int, key: int, config: Any) -> Made:
        assert config == {"blocking": True}
        return Made(self._joined.split(color, key))

    def commSplit(self, color: int, key: int) -> Made:  # noqa: N802
        return Made(self._joined.split(color, key))

    def abort(self) -> None:
        self._joined.end(True)

    def destroy(self) -> None:
        self._joined.end(False)


class OldMade(Made):
    """Of CuPy before 14."""

    commSplit = property()  # type: ignore[assignment]  # noqa: N815  # no such attribute


def nccl4py(real: module.CtypesProvider, monkeypatch: pytest.MonkeyPatch) -> module.Provider:
    """The provider on a stand-in for nccl4py."""
    whole = ModuleType("nccl")
    core = ModuleType("nccl.core")
    core.get_version = lambda: SimpleNamespace(libnccl=SimpleNamespace(path=real.library.path))
    core.get_unique_id = lambda: SimpleNamespace(as_bytes=real.make_id())
    core.UniqueId = SimpleNamespace(from_bytes=lambda data: SimpleNamespace(data=data))
    core.NCCLConfig = dict

    def init(ranks: int, rank: int, unique_id: Any, config: Any) -> Made:
        assert config == {"blocking": True}
        return Made(real.join(ranks, rank, unique_id.data))

    core.Communicator = SimpleNamespace(init=init)
    whole.core = core
    for found in (whole, core):
        monkeypatch.setitem(sys.modules, found.__name__, found)
    return module.Nccl4pyProvider()


def cupy(
    real: module.CtypesProvider, monkeypatch: pytest.MonkeyPatch, kind: type[Made]
) -> module.Provider:
    """The provider on a stand-in for CuPy."""
    names = ("cupy", "cupy.cuda", "cupy.cuda.nccl")
    whole, cuda, binding = (ModuleType(name) for name in names)
    binding.get_version = lambda: 29900
    binding.get_unique_id = real.make_id
    binding.NcclCommunicator = lambda ranks, unique_id, rank: kind(
        real.join(ranks, rank, unique_id)
    )
    whole.cuda, cuda.nccl = cuda, binding
    for found in (whole, cuda, binding):
        monkeypatch.setitem(sys.modules, found.__name__, found)
    return module.CupyProvider()


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", ["nccl4py", "cupy", "old cupy"])
def test_a_binding_makes_splits_and_ends_communicators(
    world: Any, gpu_stub: Any, stub_session: Any, stub_log: Any, monkeypatch: pytest.MonkeyPatch,
    name: str, together: bool,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "mapped_library", lambda _: str(gpu_stub))
    real = module.CtypesProvider(str(gpu_stub))
    group = world.Split(world.rank if together else 0, world.rank)
    session = stub_session(communicator=group)
    provider = (
        nccl4py(real, monkeypatch)
        if name == "nccl4py"
        else cupy(real, monkeypatch, Made if name == "cupy" else OldMade)
    )
    before = len(stub_log())
    transport = NcclTransport(group, provider=provider, together=world if together else None)
    splits = together and name != "old cupy"
    assert stub_log()[before:].count("ncclCommSplit") == splits
    assert transport.version == f"stub 2.99.0 ({name.removeprefix('old ')})"
    session = replace(session, transports={"nccl": transport})
    case = Case(
        collective="all_gather", message_bytes=64 * group.size, transport="nccl", memory="device"
    )
    measurement = measure(case, session)
    assert group.bcast(measurement.wrong if measurement else None) == 0
    before = len(stub_log())
    world.Barrier()
    transport.abort() if together else transport.close()
    ends = ["ncclCommAbort" if together else "ncclCommDestroy"] * (1 + splits)
    assert [call for call in stub_log()[before:] if call.startswith("ncclComm")] == ends
    group.Free()
