"""A validation over ranks says the same, bit for bit, as one in a single process."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from collcast.analysis.commands.validate import _MPI_SIZES
from collcast.analysis.commands.validate import validate as command


def table(path: Any) -> str:
    """Two machines, one of which is slower than its formula the larger it grows."""
    generator = np.random.default_rng(3)
    lines = ["system,collective,backend,ranks,bytes,time_us"]
    for system, slower in (("a", 0.0), ("b", 0.05)):
        for ranks in (2, 4, 8, 16, 32, 64, 128, 256):
            for size in (8, 1 << 20):
                time_us = (5 + 2 * np.log2(ranks) + size * 2e-4) * ranks**slower
                noisy = time_us * np.exp(0.02 * generator.standard_normal())
                lines.append(f"{system},allreduce,x,{ranks},{size},{float(noisy)!r}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_ranks_give_the_same_bit_for_bit(
    world: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [table(tmp_path / "t.csv"), "--format", "json"]
    spread = CliRunner().invoke(command, arguments, catch_exceptions=False).output
    assert (spread == "") == (world.rank > 0)  # a worker prints nothing
    if world.rank > 0:
        return
    for name in _MPI_SIZES:
        monkeypatch.delenv(name, raising=False)
    alone = CliRunner().invoke(command, arguments, catch_exceptions=False).output
    assert json.loads(alone)["summary"]["series"] == 2
    assert spread == alone
