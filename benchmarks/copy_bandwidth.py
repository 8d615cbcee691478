"""Tell whether one rank's out-of-place all-reduce reaches 90 % of the copy bandwidth of its file.

    python benchmarks/copy_bandwidth.py CAMPAIGN

At the largest size of every series of NCCL; exit status 1 where one falls short, or there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path

from collcast.analysis.dataset import dataset_of
from collcast.analysis.reach import reach_of, references_of
from collcast.bench.store import read_campaign

WANTED_PERCENT = 90


def main() -> int:
    rows = dataset_of(read_campaign(Path(sys.argv[1])))
    references = references_of(rows)
    reached = []
    for key, series in rows.series().items():
        alone = [row for row in series if row.ranks == 1]
        if (key.collective, key.transport, key.placement) != ("all_reduce", "nccl", "out_of_place"):
            continue
        found = reach_of(alone[-1], references) if alone else None
        if found is not None:
            print(f"{key}, {alone[-1].message_bytes} B: {found.percent:.1f} % of {found.bound}")
            reached.append(found.percent)
    if not reached:
        print("found no all_reduce on one rank beside a copy, expected both")
    return 0 if reached and min(reached) >= WANTED_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
