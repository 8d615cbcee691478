"""Which model a series is known to follow: an algorithm of ours by name, or one that was forced.

A series that names its algorithm is fitted and cast with that model alone; where nothing is known,
the library may have chosen any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .models import MODELS, model_named, models_of

if TYPE_CHECKING:
    from .dataset import SeriesKey
    from .models import Model

__all__ = ["NAMED", "model_name", "models_for", "models_named", "models_on"]

_MODEL_OF = {
    "all_reduce": {
        "ring": "ring",
        "recursive_doubling": "recursive_doubling",
        "rabenseifner": "rabenseifner",
        "binomial": "reduce_broadcast",
        "two_level": "two_level",
    },
    "all_to_all": {"pairwise": "pairwise", "bruck": "bruck", "linear": "pairwise"},
}
"""Collective -> algorithm that ``collcast run --algorithm`` takes -> model with its messages and
bytes."""

NAMED = tuple(_MODEL_OF)
"""Collectives that have algorithms by name."""

_FORCED = {
    # Open MPI 5, coll_tuned_allreduce_decision.c and coll_tuned_alltoall_decision.c
    "OMPI_MCA_coll_tuned_allreduce_algorithm": {
        "3": "recursive_doubling", "recursive_doubling": "recursive_doubling",
        "4": "ring", "ring": "ring",
        "6": "rabenseifner", "rabenseifner": "rabenseifner",
    },
    "OMPI_MCA_coll_tuned_alltoall_algorithm": {
        "1": "pairwise", "linear": "pairwise",
        "2": "pairwise", "pairwise": "pairwise",
        "3": "bruck", "modified_bruck": "bruck",
    },
    # MPICH 4, src/mpi/coll/cvars.txt
    "MPIR_CVAR_ALLREDUCE_INTRA_ALGORITHM": {
        "recursive_doubling": "recursive_doubling",
        "reduce_scatter_allgather": "rabenseifner",
        "ring": "ring",
    },
    "MPIR_CVAR_ALLTOALL_INTRA_ALGORITHM": {
        "brucks": "bruck", "pairwise": "pairwise", "scattered": "pairwise",
    },
    # NCCL's user guide, NCCL_ALGO
    "NCCL_ALGO": {
        "Ring": "ring", "Tree": "double_tree", "NVLS": "nvls", "NVLSTree": "nvls_tree",
        "CollnetDirect": "sharp", "CollnetChain": "sharp",
    },
}  # fmt: skip
"""Variable -> value -> model of the collective that the variable is about."""


_NOT_IN_NCCL = frozenset({"bruck", "pairwise"})
"""NCCL's all-to-all is a group of sends and receives, all under way: `direct`. It has no algorithm
whose number of messages grows with lg P only (user guide, point-to-point communication)."""


def model_name(key: SeriesKey) -> str:
    """Return the model that a series is known to follow; "" where nothing says so."""
    known = {model.name for model in MODELS if model.collective == key.collective}
    names = [_MODEL_OF.get(key.collective, {}).get(key.algorithm, "")]
    for assignment in key.varied.split():
        variable, _, value = assignment.partition("=")
        names.append(_FORCED.get(variable, {}).get(value, ""))
    return next((name for name in names if name in known), "")


def models_for(key: SeriesKey, tiers: int = 1) -> tuple[Model, ...]:
    """Return the models that a series may follow on so many tiers; none where there is none."""
    name = model_name(key)
    return (model_named(key.collective, name),) if name else models_of(key.collective, tiers)


def models_on(collective: str, tiers: int, transport: str = "") -> tuple[Model, ...]:
    """Return the models that a fabric of so many tiers compares for a library; maybe none."""
    found = models_of(collective, tiers, known=True)
    if "ccl" not in transport:  # NCCL, RCCL and what follows them
        return found
    return tuple(model for model in found if model.name not in _NOT_IN_NCCL)


def models_named(collective: str) -> dict[str, Model]:
    """Return algorithm -> model; of algorithms with the same model the first."""
    found: dict[str, Model] = {}
    for algorithm, name in _MODEL_OF.get(collective, {}).items():
        model = model_named(collective, name)
        if model not in found.values():
            found[algorithm] = model
    return found
