"""Who measures where networks are for a node of a cluster: one worker there, alone on its device."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from nas.evaluate import Setup
from nas.target_node import TARGET_RESOURCE, TargetNode
from nas.training.on_cluster import DeviceLocks, on_own_gpu
from nas.training.stored_pictures import without_pictures
from sr.executors.ray_cluster.connection import Share, nodes
from sr.executors.ray_cluster.workers import RayCluster
from sr.progress import Message, Report, no_report

# Several searches may measure on one node, in turn by its device lock: none takes all of the resource.
_SOME = 0.001


@contextlib.contextmanager
def measured_on_target(setup: Setup, report: Report = no_report) -> Iterator[Setup]:
    """Have networks measured on the node of the connected cluster that has the resource `paretosr_target`.

    On a GPU it takes a whole one from trainings; those on the same processors pause by the device lock.

    Args:
        setup: With the device, engine and precision that the node measures with too.
        report: Is told which node that is.

    Yields:
        The setup with what measures there; as it is where no node has the resource, so that this machine measures.
    """
    if not any(node.resources.get(TARGET_RESOURCE, 0) > 0 for node in nodes()):
        yield setup
        return
    share = Share(0.0, 1.0 if setup.target.device.type == "cuda" else 0.0, {TARGET_RESOURCE: _SOME})
    stored = _Stored(without_pictures(setup), DeviceLocks.of_this_machine())
    with RayCluster(_begun, stored, 1, share, threads=torch.get_num_threads(), label=_label, report=report) as measurer:
        node = measurer.submit(_where).result()
        report(Message(f"networks are measured on node {node.name}: {node.conditions.device}"))
        yield replace(setup, measurer=measurer, node=node)


@dataclass(frozen=True)
class _Stored:
    """What the worker begins with: the setup, and where the machine that it is of keeps its device locks."""

    setup: Setup
    locks: DeviceLocks


def _begun(stored: _Stored) -> Setup:
    """Return the setup on the node that measures."""
    stored.locks.share()
    return on_own_gpu(stored.setup)


def _where(setup: Setup) -> TargetNode:
    """Return the node that measures."""
    return TargetNode.here(setup.target)


def _label(_work: object, *_args: object, **_kwargs: object) -> str:
    """Name a piece of work for Ray's dashboard."""
    return "measure"
