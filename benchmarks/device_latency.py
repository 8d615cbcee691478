"""collcast's `device` latency against the device's own clock, stamped by kernels around it.

    mpiexec -n 2 python benchmarks/device_latency.py [--ranks-per-gpu 2] [--pairs 10]

8 B all-reduce behind the same gate. Events give one time; in turn with them, in ABBA order, a
kernel of one thread before the operation and one after it write %globaltimer, and give another.
Both enclose more than the operation: the same with nothing in between is taken off. A figure is the
mean of the middle half of all samples of the longest time of any rank: a median would be no finer
than the steps of the clocks, which are printed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collcast.bench.buffers import BufferPool
from collcast.bench.case import Case
from collcast.bench.device import bind
from collcast.bench.driver import open_driver
from collcast.bench.mpi import load_mpi
from collcast.bench.protocol import Protocol
from collcast.bench.sampling import around
from collcast.bench.transports.mpi import barrier_step
from collcast.bench.transports.nccl import NcclTransport
from collcast.native import Step, run

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAMP = b"""
.version 6.0
.target sm_60
.address_size 64
.visible .entry stamp(.param .u64 address)
{
    .reg .u64 %now, %place;
    ld.param.u64 %place, [address];
    cvta.to.global.u64 %place, %place;
    mov.u64 %now, %globaltimer;
    st.volatile.global.u64 [%place], %now;
    ret;
}
"""


@dataclass
class Bench:
    """One rank."""

    world: Any
    transport: NcclTransport
    samples: int

    def __post_init__(self) -> None:
        self.driver = open_driver()
        self.kernel = self.driver.load_kernel(STAMP, "stamp")
        self.times = self.driver.pinned(16 * self.samples).view(np.int64).reshape(2, self.samples)
        seen = self.driver.device_pointer(self.times.ctypes.data)
        offsets = 8 * np.arange(2 * self.samples, dtype=np.int64)
        self.places = seen + offsets  # the parameter of every launch
        self.pointers = self.places.ctypes.data + offsets  # to it
        self.parameters = self.pointers.ctypes.data + offsets  # lists of one pointer

    def by_events(self, operation: tuple[Step, ...]) -> NDArray[np.int64]:
        """Times of the samples on this rank, in ns."""
        arrangement = self.transport.arrange(operation, Protocol(metric="device"))
        self.run(arrangement.steps)
        assert arrangement.timer is not None
        return arrangement.timer.read(self.samples)

    def by_stamps(self, operation: tuple[Step, ...]) -> NDArray[np.int64]:
        """The same by kernels in place of the events."""
        arrangement = self.transport.arrange(operation, Protocol(metric="device"))
        record = self.driver.address("cuEventRecord")
        launch = self.driver.address("cuLaunchKernel")
        steps, places = [], iter(self.parameters.reshape(2, -1))
        for step in arrangement.steps:
            if step.function == record:
                stream = step.arguments[1]
                table = np.zeros((self.samples, 11), np.int64)
                table[:] = self.kernel, 1, 1, 1, 1, 1, 1, 0, stream, 0, 0
                table[:, 9] = next(places)
                steps.append(Step(launch, tuple(table[0].tolist()), step.group, table))
            elif step.group != "after":
                steps.append(step)
        self.run(tuple(steps))
        first, last = self.times
        return np.asarray(last - first)

    def run(self, steps: tuple[Step, ...]) -> None:
        start = (barrier_step(self.world),)
        run(around(None, start, steps), *np.zeros((2, self.samples), np.int64))

    def longest(self, times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The longest of any rank, per sample."""
        longest = np.array(times_ns, np.int64)
        self.world.Allreduce(load_mpi().IN_PLACE, longest, op=load_mpi().MAX)
        return longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks-per-gpu", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    world = load_mpi().COMM_WORLD
    bind(world, options.ranks_per_gpu)
    bench = Bench(world, NcclTransport(world), options.samples)
    case = Case(collective="all_reduce", message_bytes=8, transport="nccl", memory="device")
    buffers = BufferPool(4096, "device").buffers(case, world.rank, world.size)
    operation = bench.transport.operation(case, buffers)
    run(operation, *np.zeros((2, 1), np.int64))  # connects the ranks before there is a gate
    sides = {"events": bench.by_events, "stamps": bench.by_stamps}
    found: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for pair in range(options.pairs):
        for name in sides if pair % 2 == 0 else reversed(sides):
            for what, steps in (("whole", operation), ("empty", ())):
                times = bench.longest(sides[name](steps))
                found.setdefault((name, what), []).append(times)
    if world.rank == 0:
        report({key: np.concatenate(parts) * 1e-3 for key, parts in found.items()}, world.size)
    bench.transport.close()


def middle(times: NDArray[np.float64]) -> float:
    """The mean between the quartiles."""
    low, high = np.quantile(times, (0.25, 0.75))
    return float(times[(times >= low) & (times <= high)].mean())


def report(found: dict[tuple[str, str], NDArray[np.float64]], ranks: int) -> None:
    """Print both sides in microseconds."""
    net = {}
    for name in ("events", "stamps"):
        whole, empty = (middle(found[name, what]) for what in ("whole", "empty"))
        net[name] = whole - empty
        step = np.diff(np.unique(np.concatenate((found[name, "whole"], found[name, "empty"]))))
        print(
            f"{name}: {whole:.3f} us with, {empty:.3f} us without the operation, "
            f"in steps of {min(step, default=0):.3f} us"
        )
    difference = net["events"] - net["stamps"]
    print(f"8 B all_reduce on {ranks} ranks: events {net['events']:.3f} us, stamps "
          f"{net['stamps']:.3f} us, difference {difference:+.3f} us")  # fmt: skip


if __name__ == "__main__":
    main()
