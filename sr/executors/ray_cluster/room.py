"""How many workers a cluster has room for, and what each may take of its node."""

from collections.abc import Sequence

from sr.errors import InputError
from sr.executors.ray_cluster.connection import Node, Share

# Ray counts in ten thousandths.
_FINEST = 10_000


def shares(nodes: Sequence[Node], workers: int | None, *, on_gpus: bool) -> tuple[Share, int]:
    """Return what each worker takes, and how many workers there are.

    Without a number each takes a whole GPU, or all processors of the smallest node. More than that share what there
    is: the largest share of which so many fit, several of them on one GPU.

    Args:
        nodes: Of the cluster.
        workers: How many there are to be; None for as many as there is room for.
        on_gpus: Whether they work on GPUs.

    Raises:
        InputError: Where no node has what they work on, and nobody says how many there will be.
    """
    kind = "GPU" if on_gpus else "CPU"
    amounts = [amount for node in nodes if (amount := node.resources.get(kind, 0.0)) > 0]
    if not amounts:
        if workers is None:
            raise InputError(f"no node of the cluster has a {kind} now; say by --workers for how many there will be")
        return _share(1.0, on_gpus=on_gpus), workers
    whole = 1.0 if on_gpus else min(amounts)
    if workers is None:
        return _share(whole, on_gpus=on_gpus), _fitting(amounts, whole)
    sizes = {_rounded(min(whole, amount / parts)) for amount in amounts for parts in range(1, workers + 1)}
    return _share(max(size for size in sizes if _fitting(amounts, size) >= workers), on_gpus=on_gpus), workers


def _share(size: float, *, on_gpus: bool) -> Share:
    """Return the share of a worker; one on a GPU takes of the processors only what it takes of the GPU."""
    return Share(num_cpus=min(1.0, size), num_gpus=size) if on_gpus else Share(num_cpus=size)


def _rounded(size: float) -> float:
    """Return a share as Ray takes it: over 1 a whole number."""
    return float(int(size)) if size > 1 else int(_FINEST * size + 1e-6) / _FINEST


def _fitting(amounts: Sequence[float], size: float) -> int:
    """Return how many shares of a size fit into these amounts."""
    return sum(int(amount / size + 1e-6) for amount in amounts)
