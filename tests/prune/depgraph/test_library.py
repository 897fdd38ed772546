"""torch-pruning's graph as it is made here: with pixel shuffles, between two convolutions for the pictures."""

import copy

import pytest
import torch
from torch import Tensor, nn

from baselines import build
from prune.depgraph.library import LibraryGraph, beyond, example, magnitude_importance, traced
from sr.deployment import deploy
from sr.errors import InputError


class Shuffled(nn.Module):
    """A pixel shuffle by 2 between two convolutions, and another before the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(2, 12, 1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.shuffle(self.tail(self.shuffle(self.head(lr))))
        return sr


class Choosy(nn.Module):
    """Takes no picture with a side under `least`."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.conv, self.least = nn.Conv2d(3, 3, 1), least

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[-1] < self.least:
            raise RuntimeError(f"a side of {lr.shape[-1]} is\nunder {self.least}")
        sr: Tensor = self.conv(lr)
        return sr


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_example_is_a_picture_in_the_networks_dtype_and_always_the_same(dtype: torch.dtype) -> None:
    first, second = (example(Choosy(0).to(dtype)) for _ in range(2))
    assert (tuple(first.shape), first.dtype) == ((1, 3, 32, 32), dtype)
    assert torch.equal(first, second)


def test_the_example_is_larger_where_a_network_needs_that() -> None:
    assert example(Choosy(40)).shape == (1, 3, 48, 48)


def test_a_network_that_takes_no_example_is_refused_in_one_line() -> None:
    said = r"cannot prune a Choosy \(it takes no picture of 48x48: a side of 48 is under 64\); prune it without groups"
    with pytest.raises(InputError, match=said):
        example(Choosy(64))


def test_what_is_beyond_the_library_is_one_line() -> None:
    said = str(beyond(nn.ReLU(), "two\n  lines"))
    assert said == "torch-pruning cannot prune a ReLU (two lines); prune it without groups"


def test_a_traced_network_is_a_copy_in_eval_mode_and_the_given_one_stays() -> None:
    network = Shuffled()
    before = copy.deepcopy(network.state_dict())
    framed, graph = traced(network)
    assert isinstance(graph, LibraryGraph)
    assert framed.seen
    assert network.training
    assert not framed.network.training
    assert framed.network is not network
    for name, tensor in framed.network.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert torch.equal(network.state_dict()[name], before[name])


def test_a_picture_that_the_library_cannot_follow_is_not_seen() -> None:
    framed, _ = traced(deploy(build("ecbsr", num_feat=8)))
    assert not framed.seen


def test_four_channels_before_a_shuffle_go_with_one_behind_it() -> None:
    framed, graph = traced(Shuffled())
    network = framed.network
    coupled = graph.coupled(network.get_submodule("tail"), "inputs", [1])
    names = {module: name for name, module in network.named_modules()}
    found = {names[item.dep.layer]: sorted(item.idxs) for item in coupled if isinstance(item.dep.layer, nn.Conv2d)}
    assert found == {"tail": [1], "head": [4, 5, 6, 7]}


def test_importance_is_the_squared_norm_of_a_units_weights_over_the_mean() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
        network[1].weight.copy_(torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(3, 2, 1, 1))
    framed, graph = traced(network)
    importance = magnitude_importance(graph.coupled(framed.network.get_submodule("0"), "outputs", [0, 1]))
    # 3 * 1 + 3 * 9 and 3 * 4 + 0, of which 21 is the mean; a few roundings.
    assert importance.tolist() == pytest.approx([30 / 21, 12 / 21], rel=8 * 2**-23)
