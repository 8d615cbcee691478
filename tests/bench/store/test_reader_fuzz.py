"""The reader fed with damaged files, in a process of its own: it may crash, hang or eat memory.

The time it takes is COLLCAST_FUZZ_SECONDS, a few seconds without it; COLLCAST_FUZZ_SEED is the
first seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("COLLCAST_FUZZ_SECONDS", "4"))
SEED = os.environ.get("COLLCAST_FUZZ_SEED", "0")


@pytest.mark.timeout(SECONDS + 300)
def test_reader_fuzz(tmp_path):
    script = Path(__file__).with_name("reader_fuzz.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, str(SECONDS), SEED],
        capture_output=True, text=True, timeout=SECONDS + 250, check=False,
    )  # fmt: skip
    seed = (tmp_path / "seed").read_text(encoding="ascii")
    assert done.returncode == 0, f"seed {seed}, status {done.returncode}: {done.stderr[-3000:]}"
    found = json.loads(done.stdout)
    print(found)  # noqa: T201
    assert found["refused"] > 0
    assert found["accepted"] > 0
