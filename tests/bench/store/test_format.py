"""The file as `docs/file-format.md` describes it: plain h5py, every field, compact, additive."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest

from collcast.bench import store
from collcast.bench.case import Case
from collcast.bench.environment import Clock, Environment, Location
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Measurement, Sample
from collcast.bench.store import journal as journals

DOCUMENT = Path(__file__).parents[3] / "docs" / "file-format.md"


@pytest.fixture
def path(tmp_path, make_launch, make_measurement):
    path = tmp_path / "run.h5"
    measurements = (make_measurement(0), make_measurement(1, wrong=None, labels=("copy",)))
    store.write_campaign(path, Campaign(launches=(make_launch(),), measurements=measurements))
    return path


def test_the_documented_lines_read_the_stamps(path, monkeypatch):
    (lines,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    monkeypatch.chdir(path.parent)
    found = {}
    exec(lines, found)
    expected = store.read_campaign(path).measurements[0]
    assert found["collective"] == "all_reduce"
    assert np.array_equal(found["start_ns"], expected.sample.start_ns)
    assert np.array_equal(found["stop_ns"], expected.sample.stop_ns)


def test_everything_in_the_file_is_documented(path):
    text = DOCUMENT.read_text()
    names = set()
    with h5py.File(path) as file:
        names |= {*file, *file.attrs}
        for group in (file["launches/0"], file["cases/1"], file["cases/0/sample"]):
            names |= {*group, *group.attrs}
        for group in (file["cases/0"], file["launches/0"]):
            names |= {*group, *group.attrs}
    for kind in (Case, Measurement, Protocol, Environment, Location, Clock, Sample):
        names |= {field.name for field in fields(kind)}
    derived = {"case", "start_ns", "stop_ns"}
    assert {name for name in names - derived if f"`{name}`" not in text.replace("/", "`")} == set()


def test_every_field_is_in_the_file(path):
    with h5py.File(path) as file:
        case, launch = file["cases/0"], file["launches/0"]
        assert {field.name for field in fields(Case)} <= set(case.attrs)
        assert {field.name for field in fields(Protocol)} <= set(launch.attrs)
        assert "wrong" in case.attrs
        assert "wrong" not in file["cases/1"].attrs
        assert file["cases/1"].attrs["labels"].decode() == '["copy"]'
        document = msgspec.json.decode(launch["environment"][0])
        assert document["command"] == ["collcast", "run", "\u00e9"]
        assert file.attrs["schema_version"] == b"1.2"


def test_the_journal_is_laid_out_as_documented(tmp_path, make_launch):
    import struct
    import zlib

    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch(5))
    content = path.with_name("run.h5.journal").read_bytes()
    assert content[:8] == bytes.fromhex("89 43 43 4A 0D 0A 1A 0A")
    number, length, kind, payload_crc, header_crc = struct.unpack("<QQIII", content[24:52])
    assert (number, length, kind) == (5, len(content) - 52, journals.LAUNCH)
    assert (payload_crc, header_crc) == (zlib.crc32(content[52:]), zlib.crc32(content[:48]))
    (tmp_path / "image.h5").write_bytes(content[52:])
    with h5py.File(tmp_path / "image.h5") as file:
        assert file.attrs["identity"].decode() == content[8:24].hex()
        assert list(file["launches"]) == ["5"]


@pytest.mark.parametrize("median_ns", [1e3, 1e4, 1e5, 1e6])
@pytest.mark.parametrize("outliers", [0.0, 0.01], ids=["clean", "outliers"])
def test_a_stamp_takes_at_most_three_bytes(tmp_path, make_launch, make_sample, median_ns, outliers):
    """Calls of 1 us to 1 ms, 30 % spread; some 30 times as long, as an interrupt makes them."""
    sample = make_sample(100, 4, median_ns=median_ns)
    hit = np.random.default_rng(1).random(sample.stop_ns.shape) < outliers
    longer_ns = hit * int(30 * median_ns)
    later_ns = np.cumsum(longer_ns, axis=0)
    sample = Sample(
        start_ns=sample.start_ns + later_ns - longer_ns, stop_ns=sample.stop_ns + later_ns
    )
    measurement = Measurement(
        case=Case(collective="all_reduce", message_bytes=8),
        sample=sample,
        warmup=make_sample(10, 4),
        launch=0,
        wrong=0,
    )
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    store.append_measurement(path, measurement)
    store.consolidate(path)
    with h5py.File(path) as file:
        group = file["cases/0/sample"]
        stored = sum(group[name].id.get_storage_size() for name in group)
    assert 0 < stored / (2 * sample.start_ns.size) <= 3
    assert np.array_equal(store.read_campaign(path).measurements[0].sample.stop_ns, sample.stop_ns)


@pytest.fixture
def newer(path):
    """A file of schema 1.7, with additions that this program does not know."""
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = np.bytes_(b"1.7")
        file["cases/0"].attrs["temperature_c"] = 41.5
        file["cases/0/sample"]["missed"] = np.zeros((5, 3), bool)
        file["launches/0"].attrs["mood"] = "variable-length text"
        file["hangs/0/0"] = [1, 2, 3]
        document = msgspec.json.decode(file["launches/0/environment"][0])
        document["phase_of_the_moon"] = {"age_days": 3.5}
        del file["launches/0/environment"]
        file["launches/0"]["environment"] = np.array([msgspec.json.encode(document)])
    return path


def test_additions_of_a_newer_minor_schema_are_ignored(newer, make_launch, plain):
    found = store.read_campaign(newer)
    assert found.launches == (make_launch(),)
    assert len(found.measurements) == 2
    assert store.survey_campaign(newer).is_whole


def test_additions_of_a_newer_minor_schema_outlive_consolidation(newer, make_launch, plain):
    before = plain(store.read_campaign(newer))
    store.append_launch(newer, make_launch(1))
    store.consolidate(newer)
    assert plain(store.read_campaign(newer))[1] == before[1]
    with h5py.File(newer) as file:
        assert file.attrs["schema_version"] == b"1.7"
        assert file["cases/0"].attrs["temperature_c"] == 41.5
        assert file["cases/0/sample/missed"].shape == (5, 3)
        assert file["hangs/0/0"][2] == 3
        assert b"phase_of_the_moon" in file["launches/0/environment"][0]


def test_an_attribute_with_a_default_may_be_missing(path):
    with h5py.File(path, "r+") as file:
        del file["cases/0"].attrs["algorithm"]
        del file["cases/0"].attrs["labels"]
    found = store.read_campaign(path).measurements[0]
    assert (found.case.algorithm, found.labels) == ("native", ())
