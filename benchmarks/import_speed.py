"""Time and memory of importing a log of 100 MB; the log is made here, in nccl-tests' layout."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from collcast.analysis.importers import read_log
from collcast.bench.sample import Campaign
from collcast.bench.store import write_campaign

HEADING = """# Collective test starting: all_reduce_perf
# nThread 1 nGpus 1 minBytes 8 maxBytes 8589934592 step: 2(factor) warmup iters: 1 iters: 20 \
agg iters: 1 validation: 1 graph: 0
#  Rank  0 Group  0 Pid   4349 on    host-000 device  0 [0000:07:00] Sample GPU
#  Rank  1 Group  0 Pid   4350 on    host-000 device  1 [0000:08:00] Sample GPU
#                                                              out-of-place       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time \
  algbw   busbw  #wrong
"""
ROW = (
    "{size:12d}  {count:12d}     float     sum      -1  {a:7.2f}   22.92   45.65       0  "
    "{b:7.2f}   23.01   45.84       0\n"
)


def make(path: Path, megabytes: int) -> int:
    """Write a log of about that size; return its rows."""
    rows = 0
    with path.open("w", encoding="ascii") as stream:
        stream.write(HEADING)
        while stream.tell() < megabytes * 1_000_000:
            for step in range(1000):
                size = 8 << (rows + step) % 30
                numbers = {"a": 10 + step / 7, "b": 11 + step / 9}
                stream.write(ROW.format(size=size, count=size // 4, **numbers))
            rows += 1000
    return rows


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "large.log"
        rows = make(log, megabytes)
        begin = time.perf_counter()
        table = read_log(log)
        read = time.perf_counter()
        campaign = Campaign(launches=(), measurements=(), imported=(table,))
        write_campaign(Path(folder) / "large.h5", campaign)
        written = time.perf_counter()
    assert len(table) == 2 * rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{megabytes} MB, {rows} rows, {len(table)} cells")
    print(f"read {read - begin:.1f} s, write {written - read:.1f} s, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
