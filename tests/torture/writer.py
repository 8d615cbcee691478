"""A campaign's writer, to be stopped: run in a process of its own, with the shim preloaded.

Reads lines ``FOLDER K MODE`` from standard input. For each, a forked child arms the shim and writes
a campaign there; it reports what it finished and how it ended on standard output: ``begin PID``,
``done launch N`` and ``done case N`` ..., then ``end CALLS``, ``refused MESSAGE``, ``killed N`` or
``crashed``.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import numpy as np

from collcast.bench import store
from collcast.bench.case import Case
from collcast.bench.environment import Environment
from collcast.bench.errors import StoreError
from collcast.bench.protocol import Protocol
from collcast.bench.sample import Launch, Measurement, Sample

LAUNCHES = 2
CASES = 3  # per launch


def stamps(seed, repetitions):
    generator = np.random.default_rng(seed)
    gap_ns, duration_ns = generator.integers(1000, 100_000, (2, repetitions, 4))
    stop_ns = np.cumsum(gap_ns + duration_ns, axis=0)
    return Sample(start_ns=stop_ns - duration_ns, stop_ns=stop_ns)


def launch(number):
    return Launch(number=number, protocol=Protocol(), environment=Environment(ranks=4))


def measurement(number, launch_number):
    return Measurement(
        case=Case(collective="all_reduce", message_bytes=8 << number),
        sample=stamps(number, 50),
        warmup=stamps(1000 + number, 5),
        launch=launch_number,
        wrong=0,
    )


def say(line):
    os.write(1, f"{line}\n".encode())  # unbuffered: what is reported is reported


def write(path):
    """Write what is missing of two launches, consolidated like ``collcast run``; then all again."""
    found = store.read_campaign(path) if store.campaign_exists(path) else None
    launches = [each.number for each in found.launches] if found else []
    cases = [each.case for each in found.measurements] if found else []
    for number in range(LAUNCHES):
        if number not in launches:
            store.append_launch(path, launch(number))
            say(f"done launch {number}")
        for case in range(CASES * number, CASES * (number + 1)):
            if measurement(case, number).case not in cases:
                store.append_measurement(path, measurement(case, number))
                say(f"done case {case}")
        store.consolidate(path)
    store.write_campaign(path, store.read_campaign(path))


def child(shim, folder, k, mode):
    shim.torture_arm(folder.encode(), k, mode)
    try:
        write(Path(folder) / "run.h5")
    except StoreError as error:
        say(f"refused {error}")
    else:
        say(f"end {shim.torture_calls()}")


def main():
    shim = ctypes.CDLL(None)
    shim.torture_calls.restype = ctypes.c_long
    for line in sys.stdin:
        folder, k, mode = line.rsplit(maxsplit=2)
        process = os.fork()  # numpy and h5py are loaded already: it takes 1 ms, not 500
        if process == 0:
            status = 1
            try:
                say(f"begin {os.getpid()}")
                child(shim, folder, int(k), int(mode))
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(process, 0)
        if os.WIFSIGNALED(status):
            say(f"killed {os.WTERMSIG(status)}")
        elif os.WEXITSTATUS(status):
            say("crashed")


if __name__ == "__main__":
    main()
