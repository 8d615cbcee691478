"""Imports run one way through the house."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

# Lower rooms first: a module imports from its own line or from lines above it.
ORDER = [
    ["native"],
    ["bench.errors"],
    ["bench.units", "bench.host"],
    ["bench.skew"],
    ["bench.case", "bench.protocol", "bench.environment", "bench.imported", "bench.observation"],
    ["bench.sample"],
    ["bench.wrong"],
    ["bench.store"],
    # ---- analysis may import up to here ----
    ["bench.stub"],
    ["bench.driver"],
    ["bench.board", "bench.launcher", "bench.topology", "bench.timer"],
    ["bench.algorithms", "bench.bits", "bench.counts"],
    ["bench.collectives"],
    ["bench.pattern", "bench.support"],
    ["bench.mpi", "bench.buffers", "bench.checker", "bench.sweep"],
    ["bench.nccl", "bench.gate"],
    ["bench.arrangement"],
    ["bench.transports", "bench.device", "bench.groups", "bench.world", "bench.tunable"],
    ["bench.canary"],
    [
        "bench.nvml",
        "bench.observer",
        "bench.counters",
        "bench.provenance",
        "bench.clock",
        "bench.stopping",
        "bench.watchdog",
    ],
    ["bench.sync", "bench.noise", "bench.aggressor"],
    ["bench.sampling"],
    ["bench.measure", "bench.room"],
    ["bench.pairs"],
    ["bench.campaign", "bench.doctor", "bench.resume"],
    ["bench.commands"],
    ["bench.cli"],
]
RANK = {name: level for level, names in enumerate(ORDER) for name in names}
LAST_FOR_ANALYSIS = RANK["bench.store"]


def modules() -> dict[str, Path]:
    """Every module of the package by its name below ``collcast``."""
    spec = importlib.util.find_spec("collcast")
    assert spec is not None
    found = {}
    for room in ("native", "bench", "analysis"):
        room_spec = importlib.util.find_spec(f"collcast.{room}")
        assert room_spec is not None
        root = Path(str(room_spec.origin)).parent
        for path in root.rglob("*.py"):
            parts = (room, *path.relative_to(root).with_suffix("").parts)
            name = ".".join(part for part in parts if part != "__init__")
            found[name] = path
    return found


MODULES = modules()


def imported(name: str, path: Path) -> set[str]:
    """Names below ``collcast`` that a module imports; every relative form resolved."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(a.name.partition(".")[0] in {"collcast", "bench"} for a in node.names)
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level == 0:
            assert (node.module or "").partition(".")[0] not in {"collcast", "bench", "analysis"}
            continue
        base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
        prefix = ".".join(part for part in base if part)
        for alias in node.names:
            full = f"{prefix}.{alias.name}" if prefix else alias.name
            found.add(full if full in MODULES else prefix)
    return found


def level(name: str) -> int | None:
    """The line of ORDER that a module stands on, by itself or through its folder."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        if ".".join(parts[:size]) in RANK:
            return RANK[".".join(parts[:size])]
    return None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_go_down_only(name: str) -> None:
    own = level(name)
    for target in imported(name, MODULES[name]):
        if name.startswith("analysis"):
            below = level(target)
            allowed = (
                target.startswith("analysis")
                or target == "bench"
                or (below is not None and 0 < below <= LAST_FOR_ANALYSIS)
            )
            assert allowed, f"{name} imports {target}"
        elif own is not None:
            below = level(target)
            assert below is not None, f"{name} imports {target}, which has no place in ORDER"
            assert below <= own, f"{name} imports {target}, which lies above it"


def test_every_bench_module_has_a_place() -> None:
    without = [n for n in MODULES if n.startswith("bench.") and level(n) is None]
    assert without == ["bench.__main__"]
