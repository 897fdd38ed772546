"""What tracing finds in a network, and that the traced module still computes what the network computes."""

import functools
import itertools
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import BASELINES, build
from prune.graph.operators.channelwise import Channelwise, ZeroFilling
from prune.graph.operators.convolutions import Conv, Depthwise
from prune.graph.operators.pairwise import Product, Sum
from prune.graph.operators.rearranging import Concatenation, Shuffle, Slice
from prune.graph.operators.whole import Image, Opaque
from prune.graph.tracing import EXAMPLE, Graph, trace
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.network import build as build_searched
from sr.deployment import deploy
from sr.errors import InputError
from tests.baselines.small import small

pytestmark = pytest.mark.numeric

MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle", "residual_leaky"))
SKELETONS = list(itertools.product(UPSAMPLERS, IMAGE_SKIPS, AGGREGATIONS))
KINDS = {
    "hcsrn": {Image: 1, Conv: 25, Channelwise: 19, Sum: 12, Shuffle: 5, Concatenation: 2},
    "msrresnet": {Image: 1, Conv: 9, Channelwise: 7, Sum: 3, Shuffle: 2},
    "neptuneai": {Image: 1, Conv: 9, Channelwise: 8, Depthwise: 1, Sum: 3, Shuffle: 2},
    "rfdn": {
        Image: 1, Conv: 34, Channelwise: 25, Sum: 9, Concatenation: 3, ZeroFilling: 2, Product: 2, Shuffle: 1,
    },
}  # fmt: skip


@functools.cache
def traced(name: str) -> Graph:
    return trace(small(name))


def of_kind(graph: Graph, kind: type) -> list[torch.fx.Node]:
    return [node for node, operator in graph.operators.items() if isinstance(operator, kind)]


class Residual(nn.Module):
    """A head, two convolutions beside each other that are added to it, a tail."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.tail, self.up = nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)

    def forward(self, lr):
        x = self.head(lr)
        return self.up(self.tail(torch.cat([x + self.left(x), self.right(x)], 1)))


@pytest.mark.parametrize("name", KINDS)
def test_every_operator_of_these_has_a_kind(name):
    assert Counter(map(type, traced(name).operators.values())) == KINDS[name]


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_traces_to_itself(name):
    network = small(name)
    graph, lr = trace(network), torch.rand(2, 3, 17, 23)
    if name == "safmn":
        lr = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(graph.module(lr), deploy(network)(lr))
    assert graph.operators[graph.picture].channels == 3
    assert graph.convs()


@pytest.mark.parametrize(("upsampler", "image_skip", "aggregation"), SKELETONS)
def test_every_skeleton_traces_to_itself(upsampler, image_skip, aggregation):
    network = build_searched(Architecture(8, (Block("residual_relu"),) * 2, upsampler, image_skip, aggregation))
    graph, lr = trace(network), torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(graph.module(lr), deploy(network)(lr))
    # What runs whole: the shuffle with the colours last, and the fixed kernel of the image skip before it.
    whole = 0 if upsampler != "one_step" else 1 if image_skip in ("none", "learned") else 2
    counted = Counter(map(type, graph.operators.values()))
    assert counted[Opaque] == whole
    assert of_kind(graph, Sum)[-1].users, "the image skip is read by somebody"


def test_blocks_of_every_wiring_trace_to_themselves():
    network = build_searched(Architecture(8, MIXED, "one_step", "bilinear", "concat"))
    graph, lr = trace(network), torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        assert torch.equal(graph.module(lr), deploy(network)(lr))
    counted = Counter(map(type, graph.operators.values()))
    assert (counted[Slice], counted[Depthwise], counted[Product]) == (6, 3, 1)


def test_channels_are_those_of_the_network():
    graph = traced("hcsrn")
    (node,) = [node for node in graph.convs().values() if node.target == "upconv1"]
    assert graph.operators[node].channels == graph.conv(node).out_channels == 32
    assert isinstance(next(iter(graph.operators.values())), Image)
    assert EXAMPLE[2] != EXAMPLE[3]


def test_tensors_that_are_added_share_a_component():
    graph = trace(Residual())
    convs = graph.convs()
    number = {name: graph.components[node] for name, node in convs.items()}
    assert number["head"] == number["left"] != number["right"]
    assert graph.component_name(convs["left"]) == "head"
    (joined,) = of_kind(graph, Concatenation)
    assert graph.components[joined] not in {number["head"], number["right"]}
    # The tail's order is free, since the shuffle follows it; who writes the picture and who is joined is not.
    assert graph.components[graph.picture] in graph.fixed
    assert graph.components[joined] in graph.fixed
    assert not {number["head"], number["right"], number["tail"]} & graph.fixed


@pytest.mark.parametrize("name", ["hcsrn", "rfdn"])
def test_the_terms_of_every_sum_share_a_component(name):
    graph = traced(name)
    for node in of_kind(graph, Sum):
        assert {graph.components[operand] for operand in graph.operators[node].operands} == {graph.components[node]}


def test_who_reads_the_size_or_everything_is_known():
    graph = traced("hcsrn")
    assert graph.picture in graph.whole
    # The branch at half the size is cropped to the size of the trunk.
    assert "head" in {node.name for node in graph.sized}
    assert not graph.sized & graph.whole


class Deciding(nn.Module):
    """Takes a turn that depends on what is in the picture."""

    def forward(self, lr):
        return F.interpolate(lr if lr.mean() > 0 else -lr, scale_factor=4)


class TwoPictures(nn.Module):
    """Gives a tuple."""

    def forward(self, lr):
        return lr, lr


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (Deciding(), "Deciding cannot be gated: its forward decides by values"),
        (TwoPictures(), "does not return one picture"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(network, why):
    with pytest.raises(InputError, match=why) as caught:
        trace(network)
    assert "\n" not in str(caught.value)


def test_the_network_itself_stays_as_it_is():
    network = build("disp", num_feat=8, num_block=1, branched=True).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    graph = trace(network)
    with torch.no_grad():
        for parameter in graph.module.parameters():
            parameter.zero_()
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
