"""The timed loop: call plans of C functions, run without Python between the stamps.

Knows nothing of the rest of collcast and links neither MPI nor CUDA nor NCCL.
"""

try:
    from ._timing import BUILTINS, CLOCK_NAME, MAX_ARGUMENTS, monotonic_ns, stamp
except ImportError as error:
    error.add_note("collcast's compiled module is missing: build it with 'pip install .'")
    raise

from .plan import GROUPS, Step, StepError, run, run_in_python

__all__ = [
    "BUILTINS",
    "CLOCK_NAME",
    "GROUPS",
    "MAX_ARGUMENTS",
    "Step",
    "StepError",
    "monotonic_ns",
    "run",
    "run_in_python",
    "stamp",
]
