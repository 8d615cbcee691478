"""The gate's kernel is PTX that an assembler takes; that it holds a stream is tests/mpi's."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from collcast.bench import gate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(shutil.which("ptxas") is None, reason="no ptxas, CUDA's assembler")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_the_kernel_can_be_assembled(tmp_path: Path, architecture: str) -> None:
    source = tmp_path / "spin.ptx"
    source.write_bytes(gate._SPIN)
    command = ["ptxas", f"-arch={architecture}", source, "-o", tmp_path / "spin.cubin"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
