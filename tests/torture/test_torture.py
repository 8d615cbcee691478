"""A writer stopped at any of its write calls, in any way, loses no case that it had finished.

The short form visits every few calls; ``COLLCAST_TORTURE=1`` visits all, and adds crashes behind
crashes, random moments and a full file system.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest

OFF, BEFORE, HALF, FULL, FILLED, SHORT = range(6)  # as in shim.c
WAYS = {
    "killed_before": BEFORE,
    "killed_half_written": HALF,
    "no_space_once": FULL,
    "no_space_from_then_on": FILLED,
    "short_write": SHORT,
}
ENDS = {BEFORE: "killed", HALF: "killed", FULL: "refused", FILLED: "refused", SHORT: "end"}
LEAST_CALLS = 35  # the writer's own, counted by the shim: fewer, and the shim does not see them
EXHAUSTIVE = os.environ.get("COLLCAST_TORTURE") == "1"
STRIDE = 1 if EXHAUSTIVE else 7  # an append makes 3 calls: in time, every kind is visited

exhaustive = pytest.mark.skipif(not EXHAUSTIVE, reason="long: set COLLCAST_TORTURE=1")


@pytest.fixture
def folder(tmp_path):
    """A new folder each time: the shim watches paths that begin with its name and a slash."""
    numbers = iter(range(10**6))

    def make():
        made = tmp_path / str(next(numbers))
        made.mkdir()
        return made

    return make


@pytest.fixture
def run(writer):
    """Let the writer write, stopped at a call; return what it reported."""

    def to_the_end(where, k, mode):
        writer.start(f"{where}/", k, mode)
        return writer.finish()

    return to_the_end


@pytest.fixture
def calls(run, folder):
    """How many calls an undisturbed writer makes."""
    done, end, count = run(folder(), 0, BEFORE)
    assert (len(done), end) == (6, "end")
    assert int(count) >= LEAST_CALLS
    return int(count)


def finish_and_compare(run, where, assert_readable):
    """Write what is missing, undisturbed: nothing that a crash left behind is in the way."""
    _, end, _ = run(where, 0, BEFORE)
    assert end == "end"
    assert_readable(where / "run.h5", set(range(6)))
    assert [each.name for each in where.iterdir()] == ["run.h5"]


@pytest.mark.parametrize("way", WAYS)
def test_a_writer_stopped_at_any_call_keeps_what_it_finished(
    run, folder, calls, assert_readable, way
):
    mode = WAYS[way]
    stops = range(1 + mode % STRIDE, calls + 1, STRIDE)
    ended = []
    for k in stops:
        where = folder()
        done, end, message = run(where, k, mode)
        ended.append(end)
        assert_readable(where / "run.h5", done)
        if end == "refused":
            assert message.startswith(f"{where}/run.h5")
            assert "No space left" in message
        finish_and_compare(run, where, assert_readable)
    # A call that cleans up may be refused without harm, and a call that fails may be repaired.
    assert ended.count(ENDS[mode]) >= 0.7 * len(ended), ended
    assert set(ended) <= {ENDS[mode], "end"}
    print(f"{way}: {len(ended)} stops at {calls} calls; {Counter(ended)}")  # noqa: T201


@exhaustive
def test_crash_upon_crash_keeps_what_was_finished(run, folder, assert_readable):
    generator = random.Random(2)
    crashes = 0
    for _ in range(100):
        where = folder()
        done, end = set(), ""
        while end != "end":
            finished, end, _ = run(where, generator.randint(3, 20), generator.choice([1, 2, 3, 4]))
            assert end in {"killed", "refused", "end"}
            done |= finished
            crashes += end != "end"
            assert_readable(where / "run.h5", done)
        assert_readable(where / "run.h5", set(range(6)))
    print(f"crash upon crash: {crashes} in 100 campaigns")  # noqa: T201
    assert crashes > 200


@exhaustive
def test_a_writer_killed_at_random_moments_keeps_what_it_finished(
    writer, run, folder, calls, assert_readable
):
    generator = random.Random(3)
    began = time.monotonic()
    run(folder(), 0, BEFORE)
    whole_s = time.monotonic() - began
    ends = []
    while ends.count("killed") < 100:
        assert len(ends) < 1000
        where = folder()
        process = writer.start(f"{where}/", 0, BEFORE)
        time.sleep(generator.uniform(0, whole_s))
        with contextlib.suppress(ProcessLookupError):  # it may have been faster
            os.kill(process, signal.SIGKILL)
        done, end, _ = writer.finish()
        ends.append(end)
        assert_readable(where / "run.h5", done)
        finish_and_compare(run, where, assert_readable)
    print(f"random moments: {Counter(ends)}")  # noqa: T201


@exhaustive
@pytest.mark.parametrize("size_kib", [4, 8, 12, 16, 24, 32, 40, 48, 64])
def test_a_full_file_system_is_one_line_and_loses_nothing(run, tmp_path, assert_readable, size_kib):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root and mount")
    where = tmp_path / "small"
    where.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_kib}k", "none", str(where)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"mount: {mounted.stderr.strip()}")
    try:
        done, end, message = run(where, 0, BEFORE)
        print(f"file system of {size_kib} KiB: {end}, {len(done)} of 6 cases")  # noqa: T201
        assert_readable(where / "run.h5", done)
        assert end == ("end" if len(done) == 6 and not message.startswith("/") else "refused")
        if end == "refused":
            assert message.startswith(f"{where}/run.h5")
            assert "No space left" in message
    finally:
        subprocess.run(["umount", str(where)], check=True)
