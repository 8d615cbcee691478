"""collcast's `device` latency against the device's own clock, stamped by kernels around it.

    mpiexec -n 2 python benchmarks/device_latency.py [--ranks-per-gpu 2] [--pairs 10]

8 B all-reduce behind the gate. Events give one time; a kernel of one thread before the operation
and one after it write %globaltimer, and give another of the same operation. The events enclose the
stamps or the stamps the events, in ABBA order and as often, and the mean of the two is taken, so
that both clocks are asked for the same interval. How long it is without the operation is printed
beside it. A figure is the mean of the middle half of all samples of the longest time of any rank: a
median would be no finer than the steps of the clocks, which are printed.
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

SIDES = ("events", "stamps")


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

    def times_ns(self, operation: tuple[Step, ...], outer: str) -> dict[str, NDArray[np.int64]]:
        """Times of the samples by ``events`` and by ``stamps``, the longest of any rank."""
        arrangement = self.transport.arrange(operation, Protocol(metric="device"))
        timer, record = arrangement.timer, self.driver.address("cuEventRecord")
        assert timer is not None
        steps: list[Step] = []
        for step in arrangement.steps:
            if step.function != record:
                steps.append(step)
                continue
            is_first = step.arguments[0] == timer.first
            pair = [step, self._stamp(step, self.parameters.reshape(2, -1)[int(not is_first)])]
            steps += pair if (outer == "events") == is_first else pair[::-1]
        start = (barrier_step(self.world),)
        run(around(None, start, tuple(steps)), *np.zeros((2, self.samples), np.int64))
        first, last = self.times
        by = {"events": timer.read(self.samples), "stamps": last - first}
        return {name: self.longest(times) for name, times in by.items()}

    def _stamp(self, record: Step, parameters: NDArray[np.int64]) -> Step:
        """The step that launches the kernel where an event is recorded."""
        table = np.zeros((self.samples, 11), np.int64)
        table[:] = self.kernel, 1, 1, 1, 1, 1, 1, 0, record.arguments[1], 0, 0
        table[:, 9] = parameters
        launch = self.driver.address("cuLaunchKernel")
        return Step(launch, tuple(table[0].tolist()), record.group, table)

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
    found: dict[tuple[str, str, str], list[NDArray[np.int64]]] = {}
    for pair in range(options.pairs):
        for outer in SIDES if pair % 2 == 0 else reversed(SIDES):
            for what, steps in (("whole", operation), ("empty", ())):
                for name, times in bench.times_ns(steps, outer).items():
                    found.setdefault((name, what, outer), []).append(times)
    if world.rank == 0:
        report({key: np.concatenate(parts) * 1e-3 for key, parts in found.items()}, world.size)
    bench.transport.close()


def middle(times: NDArray[np.float64]) -> float:
    """The mean between the quartiles."""
    low, high = np.quantile(times, (0.25, 0.75))
    return float(times[(times >= low) & (times <= high)].mean())


def report(found: dict[tuple[str, str, str], NDArray[np.float64]], ranks: int) -> None:
    """Print both sides in microseconds."""
    wholes = {}
    for name in SIDES:
        whole, empty = (
            np.mean([middle(found[name, what, outer]) for outer in SIDES])
            for what in ("whole", "empty")
        )
        wholes[name] = whole
        times = [found[name, what, outer] for what in ("whole", "empty") for outer in SIDES]
        step = np.diff(np.unique(np.concatenate(times)))
        print(
            f"{name}: {whole:.3f} us with, {empty:.3f} us without the operation, "
            f"in steps of {min(step, default=0):.3f} us"
        )
    difference = wholes["events"] - wholes["stamps"]
    print(f"8 B all_reduce on {ranks} ranks: difference {difference:+.3f} us")


if __name__ == "__main__":
    main()
