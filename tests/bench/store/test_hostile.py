"""Files that are no campaign, damaged or hostile: one line, never a crash, nothing allocated."""

from __future__ import annotations

import os
import random
import re
import tracemalloc

import h5py
import numpy as np
import pytest

from collcast.bench import store
from collcast.bench.errors import SchemaTooNewError, StoreError
from collcast.bench.sample import Campaign


@pytest.fixture
def path(tmp_path, make_launch, make_measurement):
    path = tmp_path / "run.h5"
    measurements = tuple(make_measurement(seed) for seed in range(2))
    store.write_campaign(path, Campaign(launches=(make_launch(),), measurements=measurements))
    return path


def refusal(path):
    """The one line with which a file is refused."""
    with pytest.raises(StoreError) as caught:
        store.read_campaign(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "found" in message
    assert "expected" in message
    assert "\n" not in message
    return message


def test_a_missing_file_is_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "run.h5")


@pytest.mark.parametrize("content", [b"", b"size,time\n8,1.2\n", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    path = tmp_path / "run.h5"
    path.write_bytes(content)
    assert "HDF5 file, expected" in refusal(path)


def test_a_folder_or_a_pipe_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # opened, it would wait for a writer for ever
    assert "no regular file" in refusal(tmp_path / "folder")
    assert "no regular file" in refusal(tmp_path / "pipe")


def test_another_hdf5_is_refused(tmp_path):
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        file["temperature"] = [1.0, 2.0]
    assert "version 00, which has no checksums" in refusal(path)
    with h5py.File(path, "w", libver="v110") as file:
        file["temperature"] = [1.0, 2.0]
    assert "HDF5 without a schema" in refusal(path)
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = np.bytes_(b"other/thing")
    assert "schema 'other/thing'" in refusal(path)


def test_a_truncated_file_is_refused_at_any_length(path):
    content = path.read_bytes()
    for size in range(len(content) - 1, 0, -97):
        path.write_bytes(content[:size])
        assert "HDF5 file, expected" in refusal(path)
    assert "truncated" in refusal(path.with_name("run.h5")) or size < 100


@pytest.mark.parametrize(("version", "error"), [(b"2.0", SchemaTooNewError), (b"one", StoreError)])
def test_a_newer_major_schema_is_refused(path, version, error):
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = np.bytes_(version)
    for use in (store.read_campaign, store.survey_campaign, store.next_launch_number):
        with pytest.raises(error, match=r"schema.version.* expected"):
            use(path)


def test_a_newer_major_schema_in_the_journal_is_refused(tmp_path, make_launch, monkeypatch):
    from collcast.bench.store import schema

    path = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA_VERSION", (2, 0))
        store.append_launch(path, make_launch())
    for use in (store.read_campaign, store.survey_campaign, store.consolidate):
        with pytest.raises(SchemaTooNewError, match=r"run\.h5\.journal.*2\.0"):
            use(path)


def replaced(group, name, **dataset):
    del group[name]
    return group.create_dataset(name, **dataset)


def soft_link(file):
    file["cases/5"] = h5py.SoftLink("/cases/0")


def external_link(file):
    file["cases/5"] = h5py.ExternalLink("/etc/passwd", "/")


def external_launch(file):
    del file["launches/0"]
    file["launches/0"] = h5py.ExternalLink("run.h5", "/cases")


def external_data(file):
    replaced(
        file["cases/1/sample"],
        "gap_ns",
        shape=(5, 3),
        dtype="i8",
        external=[("/etc/passwd", 0, 120)],
    )


def virtual_data(file):
    layout = h5py.VirtualLayout(shape=(5, 3), dtype="i8")
    layout[:] = h5py.VirtualSource("/tmp/elsewhere.h5", "x", shape=(5, 3))
    del file["cases/1/sample/gap_ns"]
    file["cases/1/sample"].create_virtual_dataset("gap_ns", layout)


def terabytes(file):
    replaced(file["cases/1/sample"], "gap_ns", shape=(1 << 20, 1 << 20), dtype="i8", chunks=(1, 3))


def terabytes_contiguous(file):
    replaced(file["cases/1/sample"], "gap_ns", shape=(1 << 20, 1 << 20), dtype="i8")


def large_chunk(file):
    dataset = replaced(
        file["cases/1/sample"],
        "gap_ns",
        shape=(5, 3),
        maxshape=(None, 3),
        dtype="i8",
        chunks=(9**8, 3),
    )
    dataset.id.write_direct_chunk((0, 0), b"x" * 200)


def missing_chunk(file):
    dataset = replaced(file["cases/1/sample"], "gap_ns", shape=(5, 3), dtype="i8", chunks=(1, 3))
    dataset[0] = 1


def other_filter(file):
    replaced(
        file["cases/1/sample"], "gap_ns", data=np.ones((5, 3), "i8"), chunks=(5, 3), scaleoffset=0
    )


def other_shape(file):
    replaced(file["cases/1/sample"], "gap_ns", data=np.ones((4, 3), "i8"))


def other_rank(file):
    replaced(file["cases/1/sample"], "gap_ns", data=np.ones(5, "i8"))


def floats(file):
    replaced(file["cases/1/sample"], "gap_ns", data=np.ones((5, 3)))


def group_for_data(file):
    del file["cases/1/sample/gap_ns"]
    file["cases/1/sample"].create_group("gap_ns")


def data_for_group(file):
    del file["cases"]
    file["cases"] = 1.0


def references(file):
    replaced(file["cases/1/sample"], "gap_ns", shape=(5, 3), dtype=h5py.ref_dtype)


def opaque(file):
    replaced(file["cases/1/sample"], "gap_ns", shape=(5, 3), dtype="V8")


def odd_name(file):
    file["cases"].move("1", "01")


def missing_attribute(file):
    del file["cases/1"].attrs["collective"]


def text_for_integer(file):
    file["cases/1"].attrs["message_bytes"] = np.bytes_(b"8")


def array_for_integer(file):
    file["cases/1"].attrs["launch"] = np.zeros(3, "i8")


def integer_for_text(file):
    file["cases/1"].attrs["collective"] = 3


def no_unicode(file):
    file["cases/1"].attrs["suspect"] = np.bytes_(b"\xff\xfe")


def other_collective(file):
    file["cases/1"].attrs["collective"] = np.bytes_(b"all_redcue")


def labels_no_json(file):
    file["cases/1"].attrs["labels"] = np.bytes_(b"copy")


def variable_text(file):
    file["cases/1"].attrs["collective"] = "all_reduce"


def unknown_launch(file):
    file["cases/1"].attrs["launch"] = 77


def no_launches(file):
    del file["launches"]


def bad_protocol(file):
    file["launches/0"].attrs["repetitions"] = -4


def environment_no_json(file):
    replaced(file["launches/0"], "environment", data=np.array([b"{"], dtype="S1"))


def environment_deep(file):
    text = b'{"labels":' + b"[" * 100_000
    replaced(file["launches/0"], "environment", data=np.array([text]))


def environment_other_type(file):
    replaced(file["launches/0"], "environment", data=np.array([b'{"ranks":"four"}']))


def warmup_of_other_ranks(file):
    for name in ("gap_ns", "duration_ns"):
        replaced(file["cases/1/warmup"], name, data=np.ones((2, 4), "i8"))


def short_identity(file):
    file.attrs["identity"] = np.bytes_(b"abcd")


MUTATIONS = {
    soft_link: "cases/5: found a SoftLink",
    external_link: "cases/5: found a ExternalLink",
    external_launch: "launches/0: found a ExternalLink",
    external_data: "gap_ns: found data that lies in another file",
    virtual_data: "gap_ns: found data that lies in another file",
    terabytes: r"gap_ns: found shape \(1048576, 1048576\)",
    terabytes_contiguous: r"gap_ns: found shape \(1048576, 1048576\)",
    large_chunk: "gap_ns: found .* chunks",
    missing_chunk: "gap_ns: found 1 chunks .* expected 5 chunks",
    other_filter: "gap_ns: found filters",
    other_shape: r"duration_ns: found shape \(5, 3\), expected \(4, 3\)",
    other_rank: r"gap_ns: found int64 \(5,\)",
    floats: "gap_ns: found float64",
    group_for_data: "gap_ns: found a Group",
    data_for_group: "cases: found a Dataset, expected a group",
    references: "gap_ns: found object",
    opaque: "gap_ns: found .V8",
    odd_name: "cases: found '01', expected a number",
    missing_attribute: "cases/1.collective: found no such attribute",
    text_for_integer: r"cases/1.message_bytes: found .S1",
    array_for_integer: r"cases/1.launch: found int64 \(3,\)",
    integer_for_text: "cases/1.collective: found int64",
    no_unicode: "cases/1.suspect: found .*utf-8",
    other_collective: "cases/1: case.collective: found 'all_redcue'",
    labels_no_json: "cases/1.labels: found",
    variable_text: "cases/1.collective: found object",
    unknown_launch: "cases/1.launch: found 77",
    no_launches: "cases/0.launch: found 0",
    bad_protocol: "launches/0: protocol.repetitions: found -4",
    environment_no_json: "launches/0/environment: found",
    environment_deep: "launches/0/environment: found",
    environment_other_type: "launches/0/environment: found .*ranks",
    warmup_of_other_ranks: "cases/1/warmup: found 4 ranks, expected 3",
    short_identity: "identity: found",
}


READABLE = {
    soft_link: 2,
    external_link: 2,
    external_launch: 0,
    data_for_group: 0,
    no_launches: 0,
    bad_protocol: 0,
    environment_no_json: 0,
    environment_deep: 0,
    environment_other_type: 0,
}
"""Cases that can still be read, where it is not the one beside the damaged one."""


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_what_is_wrong_inside_is_named(path, mutate):
    with h5py.File(path, "r+") as file:
        mutate(file)
    tracemalloc.start()
    message = refusal(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert re.search(MUTATIONS[mutate], message), message
    assert peak_bytes < 4 << 20
    if mutate is not short_identity:  # without a root nothing is a campaign
        survey = store.survey_campaign(path)
        assert survey.findings
        assert survey.cases == READABLE.get(mutate, 1)
        store.repair_campaign(path, path.with_name("new.h5"))
        assert store.survey_campaign(path.with_name("new.h5")).is_whole
        assert len(store.read_campaign(path.with_name("new.h5")).measurements) == survey.cases


def test_many_names_for_one_inflated_case_are_refused(path):
    zeros = np.zeros((1 << 21, 1), "i8")
    with h5py.File(path, "r+") as file:
        for group in ("sample", "warmup"):
            for name in ("gap_ns", "duration_ns"):
                replaced(
                    file["cases/1"][group],
                    name,
                    data=zeros,
                    compression="gzip",
                    chunks=(1 << 17, 1),
                )
        for number in range(2, 200):
            file[f"cases/{number}"] = file["cases/1"]
    assert "expected at most" in refusal(path)


def crowd(file):
    """A thousand names for one group, in a group that a later version might have added."""
    group = file.create_group("later")
    for number in range(1000):
        group[str(number)] = group


def whole_in_each_case(file):
    for number in range(2, 200):
        file.copy("cases/1", f"cases/{number}")
    for number in range(200):
        file[f"cases/{number}/later"] = file["/"]


@pytest.mark.parametrize("mutate", [crowd, whole_in_each_case])
def test_what_has_many_names_is_not_copied_squared(path, mutate):
    with h5py.File(path, "r+", libver="v110") as file:
        mutate(file)
    new = path.with_name("new.h5")
    if mutate is crowd:
        store.repair_campaign(path, new)
        assert new.stat().st_size < 4 * path.stat().st_size
        with h5py.File(new) as file:
            assert len(file["later"]) == 1000
            assert list(file) == ["cases", "later", "launches"]
    else:
        with pytest.raises(StoreError, match="bytes when copied, expected at most"):
            store.repair_campaign(path, new)


@pytest.mark.parametrize("name", ["run.h5", "run.h5.journal"])
def test_holes_of_a_terabyte_are_refused(path, name):
    with path.with_name(name).open("ab") as file:
        file.truncate(1 << 40)
    path.with_name("run.h5.journal").touch()  # else there is nothing to consolidate
    for use in (store.read_campaign, store.next_launch_number, store.consolidate):
        with pytest.raises(StoreError, match=rf"{name}: found 1099511627776 bytes of which"):
            use(path)


def test_any_flipped_byte_is_refused_or_harmless(path, plain):
    expected = plain(store.read_campaign(path))
    content = path.read_bytes()
    generator = random.Random(0)
    refused = 0
    for place in generator.sample(range(len(content)), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        try:
            assert plain(store.read_campaign(path)) == expected
        except StoreError:
            refused += 1
    assert refused > 200
