"""Where gates stand in networks whose wiring is known."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from prune.graph.groups import Group
from prune.graph.operators.channelwise import ZeroFilling
from prune.graph.operators.convolutions import Depthwise
from prune.graph.operators.whole import Image
from prune.graph.tracing import Graph, trace
from prune.scoring.sites import gate_sites, shown_components
from search_spaces.architecture import IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.network import build as build_searched
from sr.errors import InputError

MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle", "residual_leaky"))
HCSRN = trace(build("hcsrn", num_feat=8, num_block1=2, num_block2=1))
GRAPHS = {
    "hcsrn": HCSRN,
    "msrresnet": trace(build("msrresnet", num_feat=8, num_block=2)),
    "rfdn": trace(build("rfdn", num_feat=8, num_block=2)),
    "imdn": trace(build("imdn", num_block=2)),
    "bsrn": trace(build("bsrn", num_feat=8, num_block=2)),
    "ecbsr": trace(build("ecbsr")),
    "efdn": trace(build("efdn", num_feat=8)),
    "one_step": trace(build_searched(Architecture(8, MIXED, "one_step", "bilinear", "concat"))),
    "two_step": trace(build_searched(Architecture(8, MIXED, "two_step", "nearest", "long_skip"))),
}


def sizes(sites: tuple[Group, ...]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Return per side of a convolution how many units each of its sites has, and of how many channels each."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for site in sites:
        (width,) = {len(unit) for unit in site.members[0].channels}
        found.setdefault((site.members[0].conv, site.members[0].side), []).append(
            (len(site.members[0].channels), width)
        )
    return found


def block(name: str, behind_coarse2: tuple[int, int] = (8, 4)) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Return the sites of a hybrid block: two branches of asymmetric pairs and one at half the size."""
    gates = {
        ("column_a", "inputs"): (8, 1),
        ("column_a", "outputs"): (8, 1),
        ("row_a", "outputs"): (8, 1),
        ("row_b", "inputs"): (8, 1),
        ("row_b", "outputs"): (8, 1),
        ("column_b", "outputs"): (8, 1),
        ("coarse1", "inputs"): (8, 1),
        ("coarse1", "outputs"): (8, 1),
        ("coarse2", "outputs"): behind_coarse2,
    }
    return {(f"{name}.{conv}", side): [units] for (conv, side), units in gates.items()}


@pytest.mark.parametrize(("subpixels", "shuffled"), [(False, (8, 4)), (True, (32, 1))])
def test_hcsrn_is_gated_before_what_reads_a_shared_tensor_and_behind_everything_but_the_picture(subpixels, shuffled):
    expected = {
        ("head", "outputs"): [(8, 1)],
        **block("stage1.blocks.0", shuffled),
        **block("stage1.blocks.1", shuffled),
        # One per block that is concatenated there.
        ("stage1.fuse", "inputs"): [(8, 1), (8, 1)],
        ("stage1.fuse", "outputs"): [(8, 1)],
        ("upconv1", "inputs"): [(8, 1)],
        ("upconv1", "outputs"): [shuffled],
        **block("stage2.blocks.0", shuffled),
        ("stage2.fuse", "inputs"): [(8, 1)],
        ("stage2.fuse", "outputs"): [(8, 1)],
        ("upconv2", "inputs"): [(8, 1)],
        # Its one reader is hr_conv, which shares the gate, and conv_last shares hr_conv's.
        ("upconv2", "outputs"): [shuffled],
        ("hr_conv", "outputs"): [(8, 1)],
    }
    assert sizes(gate_sites(HCSRN, subpixels=subpixels)) == expected


def test_a_unit_before_a_pixel_shuffle_is_what_becomes_one_channel():
    by_conv = {site.members[0].conv: site for site in gate_sites(HCSRN) if site.members[0].side == "outputs"}
    assert by_conv["upconv1"].members[0].channels[3] == (12, 13, 14, 15)
    assert by_conv["upconv1"].channel_indices == tuple(range(8))
    one_by_one = {
        site.members[0].conv: site for site in gate_sites(HCSRN, subpixels=True) if site.members[0].side == "outputs"
    }
    assert one_by_one["upconv1"].members[0].channels[12:16] == ((12,), (13,), (14,), (15,))
    assert one_by_one["upconv1"].channel_indices == tuple(range(32))


def test_sites_of_one_shared_tensor_index_its_channels():
    tensors: dict[int, list[str]] = {}
    for site in gate_sites(HCSRN):
        tensors.setdefault(site.shared_tensor, []).append(f"{site.members[0].conv} {site.members[0].side}")
    (trunk,) = [names for names in tensors.values() if "head outputs" in names]
    for name in ("column_a inputs", "row_a outputs", "row_b inputs", "column_b outputs", "coarse1 inputs"):
        assert f"stage1.blocks.0.{name}" in trunk
        assert f"stage1.blocks.1.{name}" in trunk
    assert {"stage1.blocks.0.coarse2 outputs", "stage1.fuse inputs", "stage1.fuse outputs", "upconv1 inputs"} <= {
        *trunk
    }
    # What enlarges the first tensor writes the second.
    (second,) = [names for names in tensors.values() if "upconv1 outputs" in names]
    assert "stage2.fuse outputs" in second
    assert not {*second} & {*trunk}
    assert ["stage1.blocks.0.column_a outputs"] in tensors.values()


def gated(graph: Graph, side: str) -> set[str]:
    return {site.members[0].conv for site in gate_sites(graph) if site.members[0].side == side}


def test_attention_is_gated_but_never_where_a_sigmoid_reads():
    graph = GRAPHS["rfdn"]
    behind, before = gated(graph, "outputs"), gated(graph, "inputs")
    assert {"blocks.0.esa.conv1", "blocks.0.esa.conv3_", "blocks.0.c1_d", "fuse", "trunk"} <= behind
    assert not {"blocks.0.esa.conv4", "blocks.1.esa.conv4", "upsampler.0"} & behind
    assert {"blocks.0.esa.conv4", "upsampler.0"} <= before
    assert sizes(gate_sites(graph))["blocks.0.c5", "inputs"] == [(4, 1)] * 4
    mixed = gated(GRAPHS["two_step"], "outputs")
    assert "trunk.1.squeeze_excite.reduce" in mixed
    assert "trunk.1.squeeze_excite.restore" not in mixed


def test_what_is_split_is_gated_where_the_parts_are_read():
    found = sizes(gate_sites(GRAPHS["imdn"]))
    assert found["blocks.0.c2", "inputs"] == [(48, 1)]
    assert found["blocks.0.c5", "inputs"] == [(16, 1)] * 4
    assert ("blocks.0.c1", "outputs") not in found


def test_a_depthwise_convolution_shares_the_gate_of_the_dense_one_before_it():
    for name in ("bsrn", "two_step"):
        graph = GRAPHS[name]
        alone = {conv for conv, node in graph.convs().items() if isinstance(graph.operators[node], Depthwise)}
        assert alone
        assert not alone & (gated(graph, "outputs") | gated(graph, "inputs"))
    assert "trunk.0.expand" in gated(GRAPHS["two_step"], "outputs")
    # Between expand and project all channels are expand's own.
    assert "trunk.0.project" not in gated(GRAPHS["two_step"], "inputs")


class Apart(nn.Module):
    """A depthwise convolution that reads a sum, so that no gate before it serves it."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.left = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)
        self.deep = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.tail, self.up = nn.Conv2d(4, 48, 1), nn.PixelShuffle(4)

    def forward(self, lr):
        x = self.head(lr)
        return self.up(self.tail(F.relu(self.deep(x + self.left(x)))))


def test_a_depthwise_convolution_behind_a_sum_has_a_gate_of_its_own():
    assert sizes(gate_sites(trace(Apart()))) == {
        ("head", "outputs"): [(4, 1)],
        ("left", "inputs"): [(4, 1)],
        ("left", "outputs"): [(4, 1)],
        ("deep", "outputs"): [(4, 1)],
    }


@pytest.mark.parametrize("subpixels", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_unit_is_channels_of_its_side_and_in_no_other(name, subpixels):
    graph = GRAPHS[name]
    taken: Counter[tuple[str, str, int]] = Counter()
    for site in gate_sites(graph, subpixels=subpixels):
        conv = graph.conv(graph.convs()[site.members[0].conv])
        width = conv.in_channels if site.members[0].side == "inputs" else conv.out_channels
        channels = [channel for unit in site.members[0].channels for channel in unit]
        assert all(0 <= channel < width for channel in channels)
        assert not subpixels or all(len(unit) == 1 for unit in site.members[0].channels)
        assert site.units == len(site.members[0].channels)
        assert site.shared_tensor in graph.components.values()
        (width_of_tensor,) = {
            graph.operators[node].channels for node, tensor in graph.components.items() if tensor == site.shared_tensor
        }
        assert 0 <= min(site.channel_indices) <= max(site.channel_indices) < width_of_tensor
        taken.update((site.members[0].conv, site.members[0].side, channel) for channel in channels)
    assert max(taken.values()) == 1
    # A side is gated whole or not at all.
    for conv, side in {(conv, side) for conv, side, _ in taken}:
        module = graph.conv(graph.convs()[conv])
        width = module.in_channels if side == "inputs" else module.out_channels
        assert sum(1 for key in taken if key[:2] == (conv, side)) == width


@pytest.mark.parametrize("name", GRAPHS)
def test_no_gate_hides_colours_or_an_attention_as_a_whole(name):
    graph = GRAPHS[name]
    for site in gate_sites(graph):
        node = graph.convs()[site.members[0].conv]
        if site.members[0].side == "inputs":
            (read,) = graph.operators[node].operands
            assert not isinstance(graph.operators[read], Image)
        else:
            assert graph.components[node] not in shown_components(graph)
            kinds = {type(graph.operators[reader]) for reader in node.users if reader in graph.operators}
            assert kinds != {ZeroFilling}


@pytest.mark.parametrize("image_skip", IMAGE_SKIPS)
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_nothing_stands_behind_the_last_convolution(upsampler, image_skip):
    graph = trace(build_searched(Architecture(8, (Block("residual_relu"),), upsampler, image_skip)))
    assert "upsampler.conv_last" not in gated(graph, "outputs")
    assert "conv_first" in gated(graph, "outputs")


def test_sub_pixels_that_a_picture_is_added_to_are_shown_too():
    graph = GRAPHS["ecbsr"]
    assert graph.components[graph.convs()["tail"]] in shown_components(graph)
    assert gated(graph, "outputs") == {f"body.{number}" for number in (0, 2, 4, 6, 8)}
    assert not gated(graph, "inputs")


class Plain(nn.Module):
    """One convolution, from the picture to the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.tail, self.up = nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)

    def forward(self, lr):
        return self.up(self.tail(lr))


def test_a_network_without_a_place_for_a_gate_is_refused_in_one_line():
    with pytest.raises(InputError, match="nothing in this network can be gated") as caught:
        gate_sites(trace(Plain()))
    assert "\n" not in str(caught.value)


class Twice(Plain):
    """A convolution that is called twice: both callers need all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, lr):
        return self.up(self.tail(torch.relu(self.twice(torch.relu(self.twice(lr))))))


def test_a_convolution_that_is_called_twice_has_no_gate_but_its_reader_has():
    assert sizes(gate_sites(trace(Twice()))) == {("tail", "inputs"): [(3, 1)]}
