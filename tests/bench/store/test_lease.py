"""One writer at a time; who is gone is told from who is elsewhere."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace

import msgspec
import pytest

from collcast.bench.errors import StoreError
from collcast.bench.store import hold_campaign, holder_of, is_alive, lease, lock_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.h5"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(lease, "_RENEW_S", 0.05)
    monkeypatch.setattr(lease, "_WATCH_S", 1.0)
    monkeypatch.setattr(lease, "_LOOK_S", 0.02)


def nothing(line):
    raise AssertionError(line)


def leave(path, **fields):
    """A lock that is left behind by a process that has ended, or as `fields` say."""
    with hold_campaign(path, nothing):
        own = holder_of(path)
    holder = replace(own, **{"pid": 1 << 22, "token": "other", **fields})
    lock_of(path).write_bytes(msgspec.json.encode(holder))
    return holder


def test_a_second_writer_is_refused_and_told_who(path):
    with hold_campaign(path, nothing):
        holder = holder_of(path)
        assert (holder.pid, is_alive(holder)) == (os.getpid(), True)
        line = rf"run\.h5 is being written by process {os.getpid()} on .* since .*, expected none"
        with pytest.raises(StoreError, match=line), hold_campaign(path, nothing):
            pass
        assert holder_of(path) == holder
    assert list(path.parent.iterdir()) == []


def test_the_lock_goes_whatever_happens(path):
    with pytest.raises(ZeroDivisionError), hold_campaign(path, nothing):
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []


def test_the_lock_of_a_dead_process_is_taken_over(path):
    leave(path)
    lines = []
    with hold_campaign(path, lines.append):
        assert holder_of(path).pid == os.getpid()
    assert len(lines) == 1
    assert "the lock of process 4194304 on" in lines[0]
    assert lines[0].endswith("was left behind: taken over")


def test_a_process_number_that_came_again_is_not_the_holder(path):
    assert is_alive(leave(path, pid=os.getpid(), started=5)) is False


def test_a_killed_holder_leaves_a_lock_that_is_taken_over(path):
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from collcast.bench.store import hold_campaign\n"
        "with hold_campaign(Path(sys.argv[1]), print):\n"
        "  print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    assert is_alive(holder_of(path))
    with pytest.raises(StoreError, match=f"process {process.pid}"), hold_campaign(path, nothing):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    lines = []
    with hold_campaign(path, lines.append):
        pass
    assert len(lines) == 1


@pytest.mark.parametrize("other", [{"boot": "of another machine"}, {"space": 7}, {"boot": ""}])
def test_a_lock_from_elsewhere_is_watched(path, quick, other):
    """Same name of the host, another kernel or container: only signs of life tell."""
    holder = leave(path, pid=os.getpid(), **other)
    assert is_alive(holder) is None
    lines = []
    with hold_campaign(path, lines.append):
        assert holder_of(path).token != "other"
    assert len(lines) == 2
    assert "watching" in lines[0]
    assert "taken over" in lines[1]


def test_a_living_lock_from_elsewhere_is_respected(path, quick):
    leave(path, boot="of another machine")
    ended = threading.Event()
    renewing = threading.Thread(target=lease._renew, args=(lock_of(path), ended))
    renewing.start()
    try:
        with pytest.raises(StoreError, match="is being written by"), hold_campaign(path, str):
            pass
    finally:
        ended.set()
        renewing.join()
    assert holder_of(path).token == "other"


def test_a_lock_that_nobody_can_read_is_watched_too(path, quick):
    lock_of(path).write_bytes(b"{")
    lines = []
    with hold_campaign(path, lines.append):
        pass
    assert "another run" in lines[-1]


def test_a_lock_that_was_taken_over_meanwhile_is_never_away(path, monkeypatch):
    """Who comes late must not touch it: while it were away, a third could create another."""
    leave(path)
    _, dead = lease._read(lock_of(path))
    with hold_campaign(path, str):
        before = lock_of(path).stat()
        with monkeypatch.context() as patched:
            for name in ("unlink", "rename", "replace"):
                patched.setattr(type(path), name, nothing)
            assert lease._take_away(lock_of(path), dead) is False
        assert os.path.samestat(lock_of(path).stat(), before)


def test_only_one_of_many_wins(path, quick):
    leave(path)
    held, refused, together = [], [], threading.Barrier(8)

    def race():
        together.wait()
        try:
            with hold_campaign(path, str):
                held.append(holder_of(path).token)
                done.wait(10)
        except StoreError:
            refused.append(1)
            if len(refused) == 7:
                done.set()

    done = threading.Event()
    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)


def test_a_link_that_was_made_and_said_to_fail_is_ours(path, monkeypatch):
    """NFS: the answer is lost, the request comes again, and finds its own work."""
    link = type(path).hardlink_to

    def answer_lost(lock, part):
        link(lock, part)
        raise FileExistsError

    monkeypatch.setattr(type(path), "hardlink_to", answer_lost)
    with hold_campaign(path, nothing):
        assert holder_of(path).pid == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_leaves_no_part_of_a_lock(path, monkeypatch):
    def full(part, content):
        part.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(StoreError, match="No space left"), hold_campaign(path, nothing):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(StoreError, match=r"run\.h5\.lock"),
        hold_campaign(tmp_path / "no/run.h5", str),
    ):
        pass
