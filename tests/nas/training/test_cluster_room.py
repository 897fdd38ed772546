"""Who measures has a GPU of its own, and the others are trained on."""

from dataclasses import replace

import torch

from nas.evaluate import Setup
from nas.target_node import TARGET_RESOURCE
from nas.training.cluster_room import left_to_train_on
from sr.executors.in_process import InThisProcess
from sr.executors.ray_cluster.connection import Node


def test_the_gpu_that_measures_is_not_trained_on(tiny: Setup) -> None:
    trains = Node("beside", {"CPU": 8.0, "GPU": 2.0})
    target = Node("target", {"CPU": 8.0, "GPU": 8.0, TARGET_RESOURCE: 1.0})
    on_gpu = replace(tiny, target=replace(tiny.target, device=torch.device("cuda")))
    measured = replace(on_gpu, measurer=InThisProcess(on_gpu))
    left = left_to_train_on([trains, target, target], measured)
    assert [node.resources["GPU"] for node in left] == [2.0, 7.0, 8.0]
    for nobody in (on_gpu, replace(tiny, measurer=InThisProcess(tiny))):
        assert left_to_train_on([trains, target], nobody) == [trains, target]
