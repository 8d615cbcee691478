"""Imported tables in the file: round trip, journal, damage, and files from before."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest

from collcast.bench import store
from collcast.bench.errors import CaseError, StoreError
from collcast.bench.imported import (
    INTEGER_COLUMNS,
    REAL_COLUMNS,
    TEXT_COLUMNS,
    ImportedTable,
    Texts,
)
from collcast.bench.sample import Campaign

OLD = Path(__file__).parents[2] / "data" / "campaign-1.0.h5"


def make_table(rows=5, **columns):
    generator = np.random.default_rng(rows)
    texts = {
        name: Texts(generator.integers(0, 2, rows, dtype=np.int32), (f"{name}-\u00e9", "other"))
        for name in TEXT_COLUMNS
    }
    counts = {name: generator.integers(1, 1 << 40, rows) for name in INTEGER_COLUMNS}
    times = {name: generator.random(rows) for name in REAL_COLUMNS}
    times["low_s"][0] = np.nan
    shared = {"source": "a.log", "digest": "0" * 64, "format": "osu", "skipped": 7}
    return ImportedTable(**shared | texts | counts | times | columns)


def plain(table):
    rows = [table.row(index) for index in range(len(table))]
    return table.source, table.digest, table.format, table.skipped, str(rows)


def write(path, *tables):
    store.write_campaign(path, Campaign(launches=(), measurements=(), imported=tables))
    return path


def test_round_trip(tmp_path):
    tables = make_table(5), make_table(300_000)
    found = store.read_campaign(write(tmp_path / "a.h5", *tables)).imported
    assert [len(table) for table in found] == [5, 300_000]
    assert plain(found[0]) == plain(tables[0])
    assert np.array_equal(found[1].time_s, tables[1].time_s)


def test_appended_tables_follow_and_survive_consolidation(tmp_path, make_launch, make_measurement):
    path = tmp_path / "a.h5"
    store.append_launch(path, make_launch())
    store.append_measurement(path, make_measurement())
    store.consolidate(path)
    for rows in (2, 3):
        store.append_imported(path, make_table(rows))
    assert [len(table) for table in store.read_campaign(path).imported] == [2, 3]
    store.consolidate(path)
    store.append_imported(path, make_table(4))
    found = store.read_campaign(path)
    assert [len(table) for table in found.imported] == [2, 3, 4]
    survey = store.survey_campaign(path)
    assert (survey.launches, survey.cases, survey.imported) == (1, 1, 3)


def test_a_file_of_schema_1_0_reads_as_before():
    with h5py.File(OLD) as file:
        assert file.attrs["schema_version"] == b"1.0"
    found = store.read_campaign(OLD)
    assert (len(found.launches), len(found.measurements), found.imported) == (2, 7, ())


def damage_codes(group):
    group["collective"][0] = 9


def damage_length(group):
    del group["ranks"]
    group.create_dataset("ranks", data=np.ones(4, np.int64))


def damage_kind(group):
    del group["time_s"]
    group.create_dataset("time_s", data=np.ones(5, np.float32))


def damage_axes(group):
    del group["time_s"]
    group.create_dataset("time_s", data=np.ones((5, 1)))


def damage_sign(group):
    group["message_bytes"][0] = -8


def damage_time(group):
    group["time_s"][0] = np.nan


def damage_missing(group):
    del group["names"]


def damage_shape(group):
    del group["wrong"]
    group.create_dataset("wrong", shape=(1 << 40,), dtype="<i8", chunks=(1 << 20,))


def damage_link(group):
    del group["wrong"]
    group["wrong"] = h5py.ExternalLink("/etc/hostname", "/")


@pytest.mark.parametrize("column", ["collective", "wrong", "low_s"])
@pytest.mark.parametrize("kind", ["terabytes", "elsewhere"])
def test_no_column_allocates_or_reads_outside(tmp_path, column, kind):
    path = write(tmp_path / "a.h5", make_table())
    with h5py.File(path, "r+") as file:
        group = file["imported/0"]
        dtype = group[column].dtype
        del group[column]
        if kind == "terabytes":
            group.create_dataset(column, shape=(1 << 40,), dtype=dtype, chunks=(1 << 20,))
        else:
            group.create_dataset(
                column, shape=(5,), dtype=dtype, external=[(str(tmp_path / "a.bin"), 0, 40)]
            )
            (tmp_path / "a.bin").write_bytes(bytes(40))
    with pytest.raises(StoreError, match=f"imported/0/{column}: found"):
        store.read_campaign(path)


DAMAGES = [value for name, value in list(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line(tmp_path, damage):
    path = write(tmp_path / "a.h5", make_table())
    with h5py.File(path, "r+") as file:
        damage(file["imported/0"])
    with pytest.raises(StoreError, match="imported/0") as refused:
        store.read_campaign(path)
    assert "\n" not in str(refused.value)
    assert not store.survey_campaign(path).is_whole


@pytest.mark.parametrize(
    "columns",
    [
        {"ranks": np.zeros(5, np.int64)},
        {"time_s": np.full(5, np.inf)},
        {"time_s": np.full(5, -1.0)},
        {"wrong": np.ones(4, np.int64)},
        {"collective": Texts(np.zeros(5, np.int32), ("",))},
    ],
)
def test_impossible_tables_are_not_born(columns):
    with pytest.raises(CaseError, match="imported"):
        make_table(5, **columns)


def test_everything_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "file-format.md").read_text()
    for field in fields(ImportedTable):
        assert f"`{field.name}`" in text
