"""What the timed loop adds to NCCL's calls: the call plan beside plain C over the same stub.

    python benchmarks/nccl_loop.py [--batch 20] [--samples 2000]

8 B all-reduce in throughput mode on one rank. The stub runs its jobs inside the calls (no threads),
so that the difference is the loop's. Pairs of runs alternate; the ratio is the median over pairs.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from collcast.bench.buffers import BufferPool, pointer_of
from collcast.bench.case import Case
from collcast.bench.mpi import load_mpi
from collcast.bench.protocol import Protocol
from collcast.bench.transports.nccl import NcclTransport
from collcast.native import run

STUB = Path(__file__).parent.parent / "tests" / "stub"
PLAIN = r"""
#include <stddef.h>
#include <stdint.h>
#include <time.h>
typedef void *p;
extern int cuEventRecord(p, p), cuStreamSynchronize(p), cuEventElapsedTime_v2(float *, p, p);
extern int ncclAllReduce(const void *, void *, size_t, int, int, p, p);
static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
int plain(int64_t *ns, int samples, int batch, void *a, void *b, p comm, p s, p first, p last) {
  for (int i = 0; i < samples; i++) {
    float ms;
    int bad = cuEventRecord(first, s);
    int64_t start = now();
    for (int j = 0; j < batch; j++)
      bad |= ncclAllReduce(a, b, 2, 7, 0, comm, s);
    bad |= cuEventRecord(last, s) | cuStreamSynchronize(s);
    ns[i] = now() - start;
    bad |= cuEventElapsedTime_v2(&ms, first, last);
    if (bad)
      return bad;
  }
  return 0;
}
"""


def build(folder: Path) -> Path:
    """Compile the stub with the plain loop beside it."""
    (folder / "plain.c").write_text(PLAIN)
    library = folder / "stub.so"
    sources = [*sorted(STUB.glob("*.c")), folder / "plain.c"]
    own = "-Wl,-Bsymbolic"  # the plain loop calls the stub, also where another NCCL is preloaded
    command = ["cc", "-O2", "-shared", "-fPIC", "-pthread", own, "-o", library, *sources]
    subprocess.run([*command, "-lrt", "-lm"], check=True)
    return library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        os.environ |= {"COLLCAST_STUB": str(library), "STUB_DELAY_US": "-1"}
        print(compare(library, options))


def compare(library: Path, options: argparse.Namespace) -> str:
    """Return the ratio as a line."""
    transport = NcclTransport(load_mpi().COMM_SELF)
    case = Case(collective="all_reduce", message_bytes=8, transport="nccl", memory="device")
    buffers = BufferPool(4096, "device").buffers(case, 0, 1)
    operation = transport.operation(case, buffers)
    protocol = Protocol(mode="throughput", batch=options.batch)
    arrangement = transport.arrange(operation, protocol)
    assert arrangement.timer is not None
    *_, communicator, stream = operation[0].arguments
    words = (communicator, stream, arrangement.timer.first, arrangement.timer.last)
    pointers = [pointer_of(array) for array in (buffers.send, buffers.receive)]
    plain = ctypes.CDLL(str(library)).plain
    plain.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 6]
    stamps, times = np.zeros((2, options.samples), np.int64), np.zeros(options.samples, np.int64)
    ratios = []
    for _ in range(options.pairs):
        code = plain(times.ctypes.data, options.samples, options.batch, *pointers, *words)
        assert code == 0
        run(arrangement.steps, *stamps, batch=arrangement.loops)
        ratios.append(np.median(stamps[1] - stamps[0]) / np.median(times))
    low, middle, high = np.percentile(ratios, [10, 50, 90])
    call_ns = np.median(times) / options.batch
    spread = f"(10 % {low:.3f}, 90 % {high:.3f})"
    return (
        f"{options.batch} calls a sample: {call_ns:.0f} ns in plain C, ratio {middle:.3f} {spread}"
    )


if __name__ == "__main__":
    main()
