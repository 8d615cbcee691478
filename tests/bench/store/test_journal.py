"""The journal after crashes: what was finished is there, what was not is not in the way."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat

import pytest

from collcast.bench import store
from collcast.bench.errors import StoreError
from collcast.bench.store import durable, walk
from collcast.bench.store import journal as journals


@pytest.fixture
def path(tmp_path, make_launch, make_measurement):
    """One launch and two cases in a journal."""
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    for seed in range(2):
        store.append_measurement(path, make_measurement(seed))
    return path


@pytest.fixture
def journal(path):
    return path.with_name("run.h5.journal")


def records(journal):
    with journals.open_journal(journal) as file:
        return journals.scan(file, journal)


def test_a_last_record_torn_at_any_byte_leaves_the_others(
    path, journal, plain, make_launch, make_measurement
):
    whole = journal.read_bytes()
    last = records(journal).records[-1]
    expected = plain(store.read_campaign(path))
    shorter = (expected[0], expected[1][:-1])
    again = (expected[0], (*shorter[1], plain(make_measurement(7))))
    store.append_launch(path.with_name("other.h5"), make_launch(3))
    for size in range(last.offset, len(whole)):
        journal.write_bytes(whole[:size])
        torn = records(journal)
        assert (torn.end, torn.torn_bytes) == (last.offset, size - last.offset)
        if size % 64 == 0:  # every offset is scanned; decoding each one too would take a minute
            assert plain(store.read_campaign(path)) == shorter
            store.append_measurement(path, make_measurement(7))
            assert plain(store.read_campaign(path)) == again
            assert records(journal).torn_bytes == 0


def test_a_last_record_of_full_length_and_wrong_content_is_torn(path, journal):
    content = bytearray(journal.read_bytes())
    last = records(journal).records[-1]
    content[last.offset + 100 :] = bytes(len(content) - last.offset - 100)  # extended, never filled
    journal.write_bytes(content)
    assert len(store.read_campaign(path).measurements) == 1
    assert records(journal).torn_bytes == len(content) - last.offset


@pytest.mark.parametrize("start", [b"", b"\x89CC", b"\0" * 5000], ids=["empty", "magic", "zeros"])
def test_a_first_record_that_was_never_finished_is_an_empty_campaign(tmp_path, make_launch, start):
    path = tmp_path / "run.h5"
    path.with_name("run.h5.journal").write_bytes(start)
    assert store.campaign_exists(path)
    assert store.read_campaign(path).launches == ()
    assert store.next_launch_number(path) == 0
    with pytest.raises(StoreError, match="found no finished launch"):
        store.consolidate(path)
    store.append_launch(path, make_launch())
    assert len(store.read_campaign(path).launches) == 1


def test_a_foreign_file_in_the_journals_place_is_refused_and_kept(tmp_path, make_launch):
    path = tmp_path / "run.h5"
    beside = path.with_name("run.h5.journal")
    beside.write_text("Dear diary")
    for use in (
        lambda: store.append_launch(path, make_launch()),
        lambda: store.read_campaign(path),
        lambda: store.next_launch_number(path),
        lambda: store.consolidate(path),
    ):
        with pytest.raises(StoreError, match=r"run\.h5\.journal: found .*, expected a journal"):
            use()
    assert beside.read_text() == "Dear diary"


@pytest.mark.parametrize("place", [10, 60], ids=["header", "payload"])
def test_damage_in_the_middle_is_named_and_what_follows_is_rescued(path, journal, place, plain):
    before = plain(store.read_campaign(path))
    content = bytearray(journal.read_bytes())
    middle = records(journal).records[1]
    content[middle.offset + place] ^= 1
    journal.write_bytes(content)
    found = "damaged bytes" if place == 10 else "a wrong checksum"
    for use in (store.read_campaign, store.consolidate):
        with pytest.raises(StoreError, match=rf"journal.* byte {middle.offset}") as caught:
            use(path)
        assert re.search(found, str(caught.value))
    assert journal.read_bytes() == content
    survey = store.survey_campaign(path)
    assert (survey.launches, survey.cases, len(survey.findings)) == (1, 1, 1)
    store.repair_campaign(path, path.with_name("new.h5"))
    rescued = plain(store.read_campaign(path.with_name("new.h5")))
    assert rescued == (before[0], before[1][1:])


def test_a_crash_between_rename_and_unlink_duplicates_nothing(
    path, journal, plain, make_measurement
):
    kept = journal.with_name("kept")
    shutil.copy(journal, kept)
    expected = plain(store.read_campaign(path))
    store.consolidate(path)
    kept.rename(journal)
    assert plain(store.read_campaign(path)) == expected
    store.append_measurement(path, make_measurement(5))
    longer = (expected[0], (*expected[1], plain(make_measurement(5))))
    assert plain(store.read_campaign(path)) == longer
    store.consolidate(path)
    assert plain(store.read_campaign(path)) == longer
    assert not journal.exists()


def test_a_journal_of_a_replaced_campaign_is_disowned(
    path, journal, tmp_path, plain, make_launch, make_measurement
):
    kept = journal.with_name("kept")
    shutil.copy(journal, kept)
    other = tmp_path / "other.h5"
    store.append_launch(other, make_launch(9))
    new = store.read_campaign(other)
    store.write_campaign(path, new)
    kept.rename(journal)  # as if the writer had died before it removed the journal
    assert plain(store.read_campaign(path)) == plain(new)
    assert "another campaign" in store.survey_campaign(path).findings[0]
    store.append_measurement(path, make_measurement(launch=9))
    assert len(store.read_campaign(path).measurements) == 1
    assert store.survey_campaign(path).is_whole


def test_a_reader_that_meets_a_consolidation_misses_nothing(
    path, plain, monkeypatch, make_measurement
):
    store.consolidate(path)
    store.append_measurement(path, make_measurement(5))
    expected = plain(store.read_campaign(path))
    opened = []

    def consolidating(original, name):
        def opening(*arguments):
            opened.append(name)
            if len(opened) == 2:  # between the file and the journal, in whichever order
                monkeypatch.undo()
                store.consolidate(path)
            return original(*arguments)

        return opening

    monkeypatch.setattr(walk, "open_file", consolidating(walk.open_file, "file"))
    journal_opener = consolidating(journals.open_journal, "journal")
    monkeypatch.setattr(walk.journal, "open_journal", journal_opener)
    assert plain(store.read_campaign(path)) == expected
    assert opened == ["journal", "file"]


def test_the_disk_is_waited_for(tmp_path, make_launch, make_measurement, monkeypatch):
    synced = []
    original = os.fsync

    def fsync(descriptor):
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        original(descriptor)

    monkeypatch.setattr(durable.os, "fsync", fsync)
    path = tmp_path / "run.h5"
    store.append_launch(path, make_launch())
    assert synced == [False, True]
    store.append_measurement(path, make_measurement())
    assert synced == [False, True, False]
    synced.clear()
    store.consolidate(path)
    assert synced == [False, True, True]


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_an_append_that_fails_leaves_no_trace(
    path, journal, monkeypatch, make_measurement, make_launch, failing
):
    before = journal.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, failing, full)
        with pytest.raises(StoreError, match=r"run\.h5\.journal: found 'No space") as caught:
            store.append_measurement(path, make_measurement())
        assert "\n" not in str(caught.value)
        with pytest.raises(StoreError, match="No space"):
            store.append_launch(path.with_name("new.h5"), make_launch())
        with pytest.raises(StoreError, match="No space"):
            store.consolidate(path)
    assert journal.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["run.h5.journal"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path, make_launch):
    path = tmp_path / "nowhere" / "run.h5"
    with pytest.raises(StoreError, match="'No such file or directory' when writing"):
        store.append_launch(path, make_launch())


def test_appending_takes_memory_for_one_case(tmp_path, make_launch, make_sample):
    import tracemalloc

    from collcast.bench.case import Case
    from collcast.bench.sample import Measurement

    path = tmp_path / "run.h5"
    sample = make_sample(100, 1000)
    measurement = Measurement(
        case=Case(collective="barrier", message_bytes=0),
        sample=sample,
        warmup=make_sample(0, 1000),
        launch=0,
        wrong=None,
    )
    store.append_launch(path, make_launch())
    peaks = []
    tracemalloc.start()
    for _ in range(6):
        tracemalloc.reset_peak()
        store.append_measurement(path, measurement)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert max(peaks) < 8 * sample.start_ns.nbytes
    assert peaks[-1] < 1.2 * peaks[1]
