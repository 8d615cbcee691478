"""`collcast check`: exit status and lines for whole, damaged and other files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from collcast.bench import store
from collcast.bench.case import Case
from collcast.bench.cli import main
from collcast.bench.environment import Environment
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Launch, Measurement, Sample


@pytest.fixture
def path(tmp_path):
    """A journal with a launch and three cases."""
    path = tmp_path / "run.h5"
    store.append_launch(path, Launch(number=0, protocol=Protocol(), environment=Environment()))
    for seed in range(3):
        start_ns = np.arange(12).reshape(4, 3) * 1000 + seed
        sample = Sample(start_ns=start_ns, stop_ns=start_ns + 100)
        case = Case(collective="all_to_all", message_bytes=64)
        store.append_measurement(
            path, Measurement(case=case, sample=sample, warmup=sample, launch=0, wrong=0)
        )
    return path


@pytest.fixture
def journal(path):
    return path.with_name("run.h5.journal")


@pytest.fixture
def check(capsys):
    """Run the command; return exit status, output and error lines."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["check", *map(str, arguments)])
        captured = capsys.readouterr()
        return caught.value.code, captured.out.splitlines(), captured.err.splitlines()

    return run


def test_a_whole_campaign(path, check):
    status, lines, errors = check(path)
    assert (status, errors) == (0, [])
    assert lines == [
        f"{path}: whole, 1 launch, 3 cases readable; 4 records in the journal, not consolidated"
    ]
    store.consolidate(path)
    assert check(path) == (0, [f"{path}: whole, 1 launch, 3 cases readable"], [])


def test_a_torn_journal(path, journal, check):
    journal.write_bytes(journal.read_bytes()[:-10])
    status, lines, _ = check(path)
    assert status == 1
    assert "damaged, 1 launch, 2 cases readable" in lines[-1]
    assert "torn bytes at the journal's end" in lines[-1]


def test_damage_is_located_and_repaired_around(path, journal, check, tmp_path):
    store.consolidate(path)
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        place = file["cases/1/sample/gap_ns"].id.get_chunk_info(0).byte_offset
    content[place + 5] ^= 0xFF
    path.write_bytes(content)
    new = tmp_path / "new.h5"
    status, lines, _ = check(path, "--repair", new)
    assert status == 1
    assert lines[0].startswith(f"{path}: cases/1/sample/gap_ns: found damage")
    assert lines[-2:] == [
        f"{path}: damaged, 1 launch, 2 cases readable; 1 finding above",
        f"{new}: 1 launch, 2 cases written",
    ]
    assert check(new)[0] == 0
    assert len(store.read_campaign(new).measurements) == 2
    assert path.read_bytes() == content


def test_a_ruined_file_leaves_the_journal(path, journal, check, tmp_path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    status, lines, _ = check(path, "--repair", tmp_path / "new.h5")
    assert status == 1
    assert "HDF5 file, expected a whole campaign" in lines[0]
    assert len(store.read_campaign(tmp_path / "new.h5").measurements) == 3


def test_a_repair_never_overwrites(path, check):
    status, _, errors = check(path, "--repair", path)
    assert status == 2
    assert errors == [f"collcast: {path}: found a file of that name, expected a new one"]


@pytest.mark.parametrize("content", [None, b"size,time\n", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_campaign(tmp_path, check, content):
    path = tmp_path / "other.h5"
    if content is not None:
        path.write_bytes(content)
    status, lines, errors = check(path)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith(f"collcast: {path}: found ")


def test_what_has_nothing_whole_is_not_written_as_repaired(path, check):
    """The cases of a journal are of a launch that only the file had, and the file was cut."""
    store.consolidate(path)
    case = store.read_campaign(path).measurements[0]
    store.append_measurement(path, case)
    path.write_bytes(path.read_bytes()[:2000])
    status, out, err = check(path, "--repair", path.with_name("new.h5"))
    assert status == 2
    assert "damaged, 0 launches, 0 cases readable" in out[-1]
    assert err == [f"collcast: {path}: found nothing whole, expected at least 1 launch to write"]
    assert not path.with_name("new.h5").exists()


def test_a_full_standard_output_is_one_line(path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "collcast.bench", "check", path],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    said = "collcast: standard output: cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, said)
