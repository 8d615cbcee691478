"""The analysis loads fast and without what only measuring, plotting or fitting needs."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("mpi4py", "cupy", "matplotlib", "pandas", "scipy", "jinja2")
LIGHT_MODULES = """
import time; start = time.process_time()  # a loaded machine takes no longer
import collcast.analysis
import collcast.analysis.dataset, collcast.analysis.summary, collcast.analysis.models
import collcast.analysis.fabrics, collcast.analysis.fit, collcast.analysis.extrapolate
import collcast.analysis.plot, collcast.analysis.report
import collcast.analysis.commands.show, collcast.analysis.commands.fit
import collcast.analysis.commands.extrapolate, collcast.analysis.commands.plot
import collcast.analysis.commands.report
taken = time.process_time() - start
import sys
print([name for name in %r if name in sys.modules], taken)
"""


def test_every_module_loads_without_heavy_libraries_in_half_a_second():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT_MODULES % (HEAVY,)], capture_output=True, text=True, check=True
    )
    loaded, taken = done.stdout.rsplit(maxsplit=1)
    assert loaded == "[]"
    assert float(taken) < 0.5


def test_show_needs_no_scipy(campaign_file):
    script = (
        "import sys; from collcast.analysis.commands.show import show\n"
        f"show.main([{str(campaign_file)!r}, '--format', 'csv'], standalone_mode=False)\n"
        "assert not {'scipy', 'matplotlib', 'mpi4py', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
