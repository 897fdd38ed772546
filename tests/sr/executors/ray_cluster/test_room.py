"""What workers take of the nodes of a cluster, worked out by hand."""

import pytest

from sr.errors import InputError
from sr.executors.ray_cluster.connection import Node, Share
from sr.executors.ray_cluster.room import shares

BOX = Node("box", {"CPU": 16.0, "GPU": 1.0})
SMALL, LARGE = Node("small", {"CPU": 4.0}), Node("large", {"CPU": 10.0})
HEAD = Node("head", {"memory": 1e9})


@pytest.mark.parametrize(
    ("nodes", "workers", "on_gpus", "share", "count"),
    [
        # A whole GPU each, or the processors of the smallest node: 4 of 4 and 4 and 4 of 10.
        ([BOX, BOX], None, True, Share(1.0, 1.0), 2),
        ([SMALL, LARGE, HEAD], None, False, Share(4.0), 3),
        # More than there are GPUs share them.
        ([BOX], 2, True, Share(0.5, 0.5), 2),
        ([BOX, BOX], 3, True, Share(0.5, 0.5), 3),
        ([BOX], 3, True, Share(0.3333, 0.3333), 3),
        # Five shares of 2 and two of 2; of 3 only three and one.
        ([SMALL, LARGE], 7, False, Share(2.0), 7),
        ([SMALL], 8, False, Share(0.5), 8),
        # Never more than the smallest node has, though there is room for it.
        ([LARGE, SMALL], 1, False, Share(4.0), 1),
        ([HEAD], 5, True, Share(1.0, 1.0), 5),
    ],
)
def test_workers_share_what_nodes_have(
    nodes: list[Node], workers: int | None, on_gpus: bool, share: Share, count: int
) -> None:
    assert shares(nodes, workers, on_gpus=on_gpus) == (share, count)


def test_nobody_knows_how_many_workers_a_cluster_without_a_gpu_has() -> None:
    with pytest.raises(InputError, match=r"^no node of the cluster has a GPU now; say by --workers"):
        shares([SMALL], None, on_gpus=True)


def test_a_share_below_zero_is_none() -> None:
    with pytest.raises(InputError, match="none below zero"):
        Share(num_cpus=-1.0)
    with pytest.raises(InputError, match="none below zero"):
        Share(resources={"paretosr_target": 0.0})
