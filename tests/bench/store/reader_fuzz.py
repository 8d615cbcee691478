"""Damage campaigns at random and read them; run by ``test_reader_fuzz.py`` as a process of its own.

    python reader_fuzz.py FOLDER SECONDS [FIRST_SEED]

Ends by a signal when one file takes more than a few seconds of processor time, or hangs; by an
exception when anything but `StoreError` is raised, when memory runs out, or when a number turns up
that stands outside the file. The file ``seed`` in FOLDER then holds the seed that does it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np

from collcast.bench import store
from collcast.bench.case import Case
from collcast.bench.environment import Environment
from collcast.bench.errors import StoreError
from collcast.bench.imported import (
    INTEGER_COLUMNS,
    REAL_COLUMNS,
    TEXT_COLUMNS,
    ImportedTable,
    Texts,
)
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Campaign, Launch, Measurement, Sample
from collcast.bench.store.journal import MAGIC

PROCESSOR_S = 20  # per file, all readers; the slowest honest refusal takes under 1 s
WALL_S = 120
MEMORY_BYTES = 3 << 29  # beyond what the modules take: six times what one file may decode to
LARGEST_BYTES = 1 << 26  # whose bytes are changed one by one; HDF5 makes holes of terabytes
SECRET = 0x5EC2E75EC2E7
CHECKSUMMED = ("v110", "v110")


def seeds(folder: Path) -> list[Path]:
    """Campaigns to damage: consolidated, in a journal, of imported tables."""
    launch = Launch(number=0, protocol=Protocol(), environment=Environment(ranks=3))
    generator = np.random.default_rng(0)
    cases = []
    for size in (8, 4096):
        start = np.cumsum(generator.integers(1000, 9000, (5, 3)), axis=0)
        sample = Sample(start_ns=start, stop_ns=start + 700)
        case = Case(collective="all_reduce", message_bytes=size)
        cases.append(Measurement(case=case, sample=sample, warmup=sample, launch=0, wrong=0))
    columns = {name: Texts(np.zeros(4, np.int32), ("x",)) for name in TEXT_COLUMNS}
    columns |= {name: np.full(4, 8, np.int64) for name in INTEGER_COLUMNS}
    columns |= {name: np.full(4, 1e-5) for name in REAL_COLUMNS}
    table = ImportedTable(source="a.log", digest="0" * 64, format="osu", **columns)
    whole, beside, logs = (folder / f"{name}.h5" for name in ("whole", "beside", "logs"))
    store.write_campaign(
        whole, Campaign(launches=(launch,), measurements=tuple(cases), imported=(table,))
    )
    store.write_campaign(logs, Campaign(launches=(), measurements=(), imported=(table,)))
    store.append_launch(beside, launch)
    for case in cases:
        store.append_measurement(beside, case)
    store.append_imported(beside, table)
    return [whole, beside, logs]


def any_group(file, draw):
    """A group of the file, at random."""
    group = file
    for _ in range(draw.randrange(5)):
        names = [
            name
            for name in group
            if isinstance(group.get(name, getlink=True), h5py.HardLink)  # the others lead outside
            and group.get(name, getclass=True) is h5py.Group
        ]
        if not names:
            break
        group = group[draw.choice(names)]
    return group


def some_name(group, draw, outside):
    """A name to put something at: one that is there, or a new one."""
    known = [*group, "launches", "cases", "sample", "gap_ns", "names", "environment", "0"]
    return draw.choice(
        [*known, *known, "7", "01", "-1", "9" * 9, "9" * 30, "\u0661", "x" * 5000, "later"]
    )


def put_type(group, name, draw, outside):
    """Something of a type that is not expected."""
    kinds = [
        np.dtype([("a", "i8"), ("b", "f4")]), h5py.ref_dtype, h5py.regionref_dtype, "V8", "f2",
        ">i8", "u1", "S3", h5py.vlen_dtype("i8"), h5py.string_dtype(), h5py.enum_dtype({"A": 1}),
        "c16", "?",
        np.dtype(("i8", (1 << 20,))), "S65000",
    ]  # fmt: skip
    shape = draw.choice([(), (1,), (5, 3), (0, 3), (2, 2, 2)])
    group.create_dataset(name, shape=shape, dtype=draw.choice(kinds))


def put_absurd_shape(group, name, draw, outside):
    shape = draw.choice([(1 << 20, 1 << 20), (1 << 40,), (1 << 31, 3), (1 << 62, 1), (5, 1 << 33)])
    chunks = draw.choice(
        [None, tuple(min(3, n) for n in shape), tuple(min(n, 1 << 15) for n in shape)]
    )
    made = group.create_dataset(
        name, shape=shape, dtype=draw.choice(["i8", "f8", "i4", "S1"]), chunks=chunks,
        compression=draw.choice([None, "gzip"]) if chunks else None,
    )  # fmt: skip
    if chunks and draw.random() < 0.7:
        made.id.write_direct_chunk(
            (0,) * len(shape), zlib.compress(bytes(draw.choice([9, 1 << 22])))
        )


def put_bomb(group, name, draw, outside):
    rows = draw.choice([1 << 16, 1 << 20, 1 << 22])
    made = group.create_dataset(
        name, shape=(rows, 1), dtype="i8", chunks=(rows, 1), compression="gzip", shuffle=True
    )
    made.id.write_direct_chunk((0, 0), zlib.compress(bytes(8 * rows), 1))


def put_garbage_chunk(group, name, draw, outside):
    made = group.create_dataset(
        name, shape=(5, 3), dtype="i8", chunks=(5, 3), compression="gzip",
        shuffle=draw.random() < 0.5, fletcher32=draw.random() < 0.5,
    )  # fmt: skip
    made.id.write_direct_chunk((0, 0), draw.randbytes(draw.randrange(1, 300)))


def put_external(group, name, draw, outside):
    group.create_dataset(name, shape=(5, 3), dtype="i8", external=[(draw.choice(outside), 0, 120)])


def put_virtual(group, name, draw, outside):
    layout = h5py.VirtualLayout(shape=(5, 3), dtype="i8")
    layout[:] = h5py.VirtualSource(
        draw.choice([*outside, "."]), "cases/0/sample/gap_ns", shape=(5, 3)
    )
    group.create_virtual_dataset(name, layout)


def put_link(group, name, draw, outside):
    group[name] = draw.choice([
        h5py.ExternalLink(draw.choice(outside), "/"), h5py.SoftLink("/"), h5py.SoftLink(name),
        h5py.SoftLink("/cases/0"), h5py.SoftLink("/nowhere"),
    ])  # fmt: skip


def put_cycle(group, name, draw, outside):
    group[name] = draw.choice([group, group.file["/"], any_group(group.file, draw)])


def put_kind(group, name, draw, outside):
    kind = draw.choice(["group", "type", "null", "scalar"])
    if kind == "group":
        group.create_group(name)
    else:
        group[name] = {"type": np.dtype("i8"), "null": h5py.Empty("i8"), "scalar": 3.5}[kind]


def put_crowd(group, name, draw, outside):
    crowd = group.create_group(name)
    for number in range(draw.choice([50, 1000])):
        crowd[str(number)] = group.file["/"] if draw.random() < 0.02 else group


def put_depth(group, name, draw, outside):
    for _ in range(draw.choice([10, 300])):
        group = group.create_group("d" if "d" not in group else "e" * draw.randrange(1, 9))
        if draw.random() < 0.02:
            put_external(group, "x", draw, outside)


def set_attribute(group, name, draw, outside):
    """An attribute of another type, shape, length or content; now and then a thousand of them."""
    known = [*group.attrs, "schema", "schema_version", "launch", "origin_ns", "later"]
    values = [
        3, -1, 1 << 62, -(1 << 62), 1.5, float("nan"), "text", np.bytes_(b"\xff"),
        np.bytes_(b"1.9"),
        np.zeros(3, "i8"), np.zeros(1 << 16, "i8"), h5py.Empty("i8"), np.bytes_(b"[" * 30000),
        np.bytes_(b"x" * 65000), True, np.uint64((1 << 64) - 1),
    ]  # fmt: skip
    for _ in range(draw.choice([1, 1, 1, 1000])):
        group.attrs[draw.choice(known) + ("" if draw.random() < 0.9 else str(draw.random()))] = (
            draw.choice(values)
        )


PUT = (
    put_type, put_absurd_shape, put_bomb, put_garbage_chunk, put_external, put_virtual, put_link,
    put_cycle, put_kind, put_crowd, put_depth,
)  # fmt: skip


def change_structure(path, draw, outside):
    """Change what HDF5 itself allows to change."""
    libver = draw.choice([CHECKSUMMED, "earliest"])
    with h5py.File(path, "r+", libver=libver) as file:
        for _ in range(draw.randrange(1, 4)):
            group = any_group(file, draw)
            change = draw.choice((set_attribute, set_attribute, *PUT))
            try:
                name = some_name(group, draw, outside)
                if change is not set_attribute and name in group:
                    del group[name]
                change(group, name, draw, outside)
            except (OSError, RuntimeError, ValueError, TypeError, KeyError):
                continue  # HDF5 would not have it


def change_bytes(content, draw):
    """Flip, cut, blank, repeat or exchange bytes."""
    data = bytearray(content)
    for _ in range(draw.randrange(1, 5)):
        if not data:
            break
        first, last = sorted(draw.randrange(len(data)) for _ in range(2))
        kind = draw.choice(["flip", "flip", "byte", "cut", "blank", "repeat", "truncate", "number"])
        if kind == "flip":
            data[first] ^= 1 << draw.randrange(8)
        elif kind == "byte":
            data[first] = draw.choice([0, 255, draw.randrange(256)])
        elif kind == "cut":
            del data[first : min(last, first + 64)]
        elif kind == "blank":
            data[first:last] = bytes(last - first)
        elif kind == "repeat":
            data[last:last] = data[first:last]
        elif kind == "truncate":
            del data[last:]
        else:
            value = draw.choice([0, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
            data[first : first + 8] = value.to_bytes(8, "little")
    return bytes(data)


def change_record(content, draw, path, outside):
    """Write a record whose checksums fit, and nothing else."""
    places = [at for at in range(len(content)) if content.startswith(MAGIC, at)]
    at = draw.choice(places)
    head, length = content[at : at + 48], int.from_bytes(content[at + 32 : at + 40], "little")
    payload = content[at + 52 : at + 52 + length]
    kind = draw.choice(["payload", "image", "length", "kind", "number", "identity"])
    if kind == "payload":
        payload = change_bytes(payload, draw)
    elif kind == "image":
        image = path.with_name("image.h5")
        image.write_bytes(payload)
        change_structure(image, draw, outside)
        if image.stat().st_size <= LARGEST_BYTES:
            payload = image.read_bytes()
    length = len(payload)
    fields = bytearray(head)
    if kind == "length":
        length = draw.choice([0, 1, length - 1, length + 1, 1 << 40, (1 << 64) - 1])
    elif kind not in {"payload", "image"}:
        first, size = {"kind": (40, 4), "number": (24, 8), "identity": (8, 16)}[kind]
        fields[first : first + size] = draw.randbytes(size)
    fields[32:40] = length.to_bytes(8, "little")
    fields[44:48] = zlib.crc32(payload).to_bytes(4, "little")
    record = bytes(fields) + zlib.crc32(fields).to_bytes(4, "little") + payload
    end = at + 52 + int.from_bytes(head[32:40], "little")
    return content[:at] + record * draw.choice([1, 1, 1, 40]) + content[end:]


def damage(source, path, draw, outside):
    """A damaged copy of a campaign, with its journal."""
    for name in (path, path.with_name(path.name + ".journal")):
        name.unlink(missing_ok=True)
        original = source.with_name(name.name.replace(path.stem, source.stem, 1))
        if not original.exists():
            continue
        shutil.copyfile(original, name)
        structural = draw.random() < 0.6
        if structural and name == path:
            change_structure(name, draw, outside)
        elif structural:
            name.write_bytes(change_record(name.read_bytes(), draw, name, outside))
        small = name.stat().st_size <= LARGEST_BYTES
        if small and (not structural or draw.random() < 0.3):
            name.write_bytes(change_bytes(name.read_bytes(), draw))


def use(path, counts):
    """Read a campaign in every way."""
    new = path.with_name("new.h5")
    new.unlink(missing_ok=True)
    readers = (
        store.read_campaign, store.survey_campaign, store.next_launch_number,
        lambda damaged: store.repair_campaign(damaged, new),
    )  # fmt: skip
    for reader in readers:
        try:
            found = reader(path)
        except StoreError as error:
            counts["refused"] += 1
            text = str(error)
            if any(word in text for word in ("\n", "allocate", "MemoryError")):
                raise AssertionError(text) from error
        else:
            counts["accepted"] += 1
            if isinstance(found, Campaign):
                expect_nothing_from_outside(found)
    if new.exists():
        assert store.survey_campaign(new).is_whole
        expect_nothing_from_outside(store.read_campaign(new))


def expect_nothing_from_outside(campaign):
    for measurement in campaign.measurements:
        for sample in (measurement.sample, measurement.warmup):
            for array in (sample.stop_ns - sample.start_ns, sample.start_ns, sample.stop_ns):
                assert SECRET not in array
    for table in campaign.imported:
        assert SECRET not in table.ranks


def main(folder: Path, seconds: float, first: int) -> None:
    sources = seeds(folder)
    (folder / "secret").write_bytes(np.full(4096, SECRET, "<i8").tobytes())
    os.mkfifo(folder / "pipe")  # opened, it waits for ever
    outside = (str(folder / "secret"), str(folder / "pipe"), str(sources[0]))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    counts, end, number = {"refused": 0, "accepted": 0}, time.monotonic() + seconds, first
    slowest_s = 0.0
    while time.monotonic() < end:
        (folder / "seed").write_text(str(number))
        draw = random.Random(number)
        for timer, most_s in ((signal.ITIMER_PROF, PROCESSOR_S), (signal.ITIMER_REAL, WALL_S)):
            signal.setitimer(timer, most_s)
        damage(draw.choice(sources), folder / "a.h5", draw, outside)
        began_s = time.process_time()
        use(folder / "a.h5", counts)
        slowest_s = max(slowest_s, time.process_time() - began_s)
        for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
        number += 1
    counts["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    counts |= {"files": number - first, "slowest_ms": int(1e3 * slowest_s)}
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
