"""The form for other engines: DepthToSpace and no transposition, and the same function."""

import functools
from collections import Counter

import onnx
import pytest
import torch
from torch import Tensor, nn

from prune.graph.liveness import channel_liveness, everything
from prune.graph.plan import Kept, Plan
from prune.graph.tracing import trace
from prune.rewrite.slim_network import SlimNetwork
from prune.rewrite.surgery import slim
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build, shuffle_colour_last
from sr.deployment import portable
from sr.onnx_graph import onnx_graph

BLOCKS = (Block("residual_leaky"), Block("branched_conv"))


class Scaled(nn.Module):
    """Sub-pixels that no convolution writes last, so that they are put in order by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first, self.conv_last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        return shuffle_colour_last(torch.tanh(self.conv_last(self.conv_first(lr))))


def slimmed(network: nn.Module) -> nn.Module:
    """Return a network without two channels of every side that may lose some; all weights drawn."""
    graph = trace(network)
    for module in graph.module.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    kept = {
        name: Kept(*(side[:6] if len(side) == 8 else side for side in (full.inputs, full.outputs)))
        for name, full in everything(graph).items()
    }
    return slim(graph, Plan(dict(channel_liveness(graph, kept).kept), {}, {}))


@functools.cache
def network(kind: str, scale: int = 4) -> nn.Module:
    torch.manual_seed(0)
    if kind == "scaled":
        return slimmed(Scaled())
    return slimmed(build(Architecture(num_feat=8, blocks=BLOCKS, image_skip=kind, scale=scale)))


@pytest.mark.numeric
@pytest.mark.parametrize(
    ("kind", "scale"), [("none", 4), ("nearest", 4), ("bicubic", 4), ("scaled", 4), ("bicubic", 3), ("nearest", 2)]
)
def test_the_portable_form_computes_the_same_and_leaves_the_network_as_it_is(kind: str, scale: int) -> None:
    ours = network(kind, scale).double()
    assert isinstance(ours, SlimNetwork)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    lr = torch.rand(2, 3, 9, 7, dtype=torch.float64)
    with torch.no_grad():
        assert ours(lr).shape == (2, 3, 9 * scale, 7 * scale)
        torch.testing.assert_close(ours.portable()(lr), ours(lr), rtol=1e-12, atol=1e-12)
    assert all(torch.equal(before[name], tensor) for name, tensor in ours.state_dict().items())
    ours.float()
    with torch.no_grad():
        torch.testing.assert_close(portable(ours)(lr.float()), ours(lr.float()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lr_size", [None, (12, 16)])
@pytest.mark.parametrize(("kind", "scale"), [("nearest", 4), ("bicubic", 4), ("nearest", 2)])
def test_the_export_holds_depth_to_space_and_no_transposition(
    kind: str, scale: int, lr_size: tuple[int, int] | None
) -> None:
    model = onnx.load_from_string(onnx_graph(network(kind, scale), lr_size))
    operators = Counter(node.op_type for node in model.graph.node)
    assert operators["DepthToSpace"] == 1
    assert not {"Transpose", "Gather", "Reshape"} & set(operators)
