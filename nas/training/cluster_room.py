"""What of a cluster's nodes is there to train on, where one of them measures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.evaluate import Setup
from nas.target_node import TARGET_RESOURCE
from sr.executors.ray_cluster.connection import Node, free, nodes
from sr.executors.ray_cluster.room import shares

# Trainings that share one fill any.
_MOST_ON_A_GPU = 4


@dataclass(frozen=True)
class WholeWorkers:
    """What fits into a cluster where no two workers share a GPU or, on CPUs, the smallest node.

    Attributes:
        count: So many workers.
        most_parts: Into which each may be divided; on a CPU as many as it has processors.
        are_free: Whether nobody else holds what they take now.
    """

    count: int
    most_parts: int
    are_free: bool


def whole_workers(setup: Setup) -> WholeWorkers:
    """Return what fits into the connected cluster; raises InputError where no node has what a setup trains on."""
    on_gpus = setup.target.device.type == "cuda"
    share, count = shares(left_to_train_on(nodes(), setup), None, on_gpus=on_gpus)
    size, there = (share.num_gpus, free("GPU")) if on_gpus else (share.num_cpus, free("CPU"))
    return WholeWorkers(count, _MOST_ON_A_GPU if on_gpus else max(1, int(size)), there + 1e-6 >= count * size)


def left_to_train_on(nodes: Sequence[Node], setup: Setup) -> list[Node]:
    """Return nodes without the GPU that measures: the worker that does has a whole one to itself."""
    if setup.measurer is None or setup.target.device.type != "cuda":
        return list(nodes)
    left, is_found = list[Node](), False
    for node in nodes:
        gpus = node.resources.get("GPU", 0.0)
        measures = not is_found and gpus >= 1 and node.resources.get(TARGET_RESOURCE, 0.0) > 0
        left.append(replace(node, resources={**node.resources, "GPU": gpus - 1}) if measures else node)
        is_found = is_found or measures
    return left
