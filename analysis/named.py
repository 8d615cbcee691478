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

__all__ = ["NAMED", "kin", "model_name", "model_on", "models_for", "models_named", "models_on"]

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
    # NCCL's user guide, NCCL_ALGO, in any case; one name per collective
    "NCCL_ALGO": {
        "ring": "ring ring_gather ring_scatter chain", "tree": "double_tree",
        "pat": "pat_gather pat_scatter", "nvls": "nvls", "nvlstree": "nvls_tree",
        "collnetdirect": "sharp", "collnetchain": "sharp",
    },
}  # fmt: skip
"""Variable -> value -> models, at most one of each collective that the variable is about."""

_IN_NCCL = {
    "all_reduce": ("ring", "rail_ring", "double_tree", "chain_tree", "nvls", "nvls_tree", "sharp"),
    "all_gather": ("ring_gather", "pat_gather"),
    "reduce_scatter": ("ring_scatter", "pat_scatter"),
    "broadcast": ("chain",),
    "all_to_all": ("direct",),
    "send_recv": ("neighbour",),
}
"""Collective -> all that NCCL has (2.30, src/include/nccl_tuner.h and the user guide on NCCL_ALGO;
its all-to-all is a group of sends and receives, all under way). Its tree is `chain_tree` on tiers,
`double_tree` on one."""

_KIN = {
    "rail_ring": "ring",
    "doubling": "pat_gather",
    "halving": "pat_scatter",
    **dict.fromkeys(("recursive_doubling", "rabenseifner", "two_level", "double_tree",
                     "nvls_tree"), "chain_tree"),
}  # fmt: skip
"""Model -> the one of NCCL's that grows with ranks as it does: what a fit of one tier found."""


def model_name(key: SeriesKey) -> str:
    """Return the model that a series is known to follow; "" where nothing says so."""
    known = {model.name for model in MODELS if model.collective == key.collective}
    names = [_MODEL_OF.get(key.collective, {}).get(key.algorithm, "")]
    for assignment in key.varied.split():
        variable, _, value = assignment.partition("=")
        forced = {text.casefold(): name for text, name in _FORCED.get(variable, {}).items()}
        names += forced.get(value.casefold(), "").split()
    return next((name for name in names if name in known), "")


def model_on(key: SeriesKey, tiers: int) -> str:
    """Return `model_name` on a fabric of so many tiers: NCCL's tree is a chain inside domains."""
    name = model_name(key)
    return "chain_tree" if name == "double_tree" and tiers > 1 else name


def kin(name: str, transport: str) -> str:
    """Return NCCL's name for what a fit found in its series; of other libraries the name itself."""
    return _KIN.get(name, name) if "ccl" in transport else name


def models_for(key: SeriesKey, tiers: int = 1) -> tuple[Model, ...]:
    """Return the models that a series may follow on so many tiers; none where there is none."""
    name = model_name(key)
    return (model_named(key.collective, name),) if name else models_of(key.collective, tiers)


def models_on(collective: str, tiers: int, transport: str = "") -> tuple[Model, ...]:
    """Return the models that a fabric of so many tiers compares for a library; maybe none."""
    if "ccl" not in transport:  # NCCL, RCCL and what follows them
        return models_of(collective, tiers, known=True)
    found = (model_named(collective, name) for name in _IN_NCCL.get(collective, ()))
    return tuple(
        model
        for model in found
        if model.least_tiers <= tiers and (model.name != "double_tree" or tiers == 1)
    )


def models_named(collective: str) -> dict[str, Model]:
    """Return algorithm -> model; of algorithms with the same model the first."""
    found: dict[str, Model] = {}
    for algorithm, name in _MODEL_OF.get(collective, {}).items():
        model = model_named(collective, name)
        if model not in found.values():
            found[algorithm] = model
    return found
