"""A writer that is stopped at a chosen call, and what must be readable afterwards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from collcast.bench import store

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The compiled shim."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the shim that stops the writer")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [compiler, *options, "-o", str(library), str(HERE / "shim.c"), "-ldl"], check=True
    )
    return library


class Writer:
    """The writing process; it lives through all its forked children."""

    def __init__(self, shim: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(shim), "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "writer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(self, folder: Path, k: int, mode: int) -> int:
        """Begin to write, return the process that does."""
        self.process.stdin.write(f"{folder} {k} {mode}\n")
        self.process.stdin.flush()
        word, process = self.process.stdout.readline().split()
        assert word == "begin"
        return int(process)

    def finish(self) -> tuple[set[int], str, str]:
        """Return the cases that were reported finished, how the writer ended, and its message."""
        done = set()
        while True:
            word, _, rest = self.process.stdout.readline().rstrip("\n").partition(" ")
            if word != "done":
                return done, word, rest
            kind, number = rest.split()
            if kind == "case":
                done.add(int(number))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def writer(shim):
    writer = Writer(shim)
    yield writer
    writer.close()


@pytest.fixture(scope="session")
def script():
    """The writer's module, for what it writes."""
    spec = importlib.util.spec_from_file_location("torture_writer", HERE / "writer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def assert_readable(script):
    """Assert that cases can be read with exact stamps, once each, and nothing else is there."""

    def assert_it(path: Path, done: set[int]) -> None:
        if not store.campaign_exists(path):
            assert done == set()
            return
        found = {}
        for measurement in store.read_campaign(path).measurements:
            number = measurement.case.message_bytes.bit_length() - 4
            assert number not in found
            found[number] = measurement
        assert done <= set(found)
        for number, measurement in found.items():
            expected = script.measurement(number, number // script.CASES)
            assert measurement.case == expected.case
            assert measurement.launch == expected.launch
            for name in ("sample", "warmup"):
                one, other = getattr(measurement, name), getattr(expected, name)
                assert np.array_equal(one.start_ns, other.start_ns)
                assert np.array_equal(one.stop_ns, other.stop_ns)

    return assert_it
