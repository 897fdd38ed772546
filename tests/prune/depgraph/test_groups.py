"""Groups that really go together: what torch-pruning removes computes what silencing the same channels does."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import build
from prune.depgraph.groups import coupled_groups, magnitude_scores, removed
from prune.graph.groups import Group, Member
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build as build_searched
from sr.deployment import deploy
from sr.errors import InputError

pytestmark = pytest.mark.numeric


def searched(kind: str, upsampler: str = "one_step", aggregation: str = "none") -> nn.Module:
    return build_searched(Architecture(8, (Block(kind),) * 2, upsampler, "nearest", aggregation))


def exact(network: nn.Module) -> nn.Module:
    """Deploy in float64, with biases that are not zero."""
    deployed = deploy(network).double()
    for module in deployed.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    return deployed


torch.manual_seed(0)
NETWORKS = {
    "hcsrn": exact(build("hcsrn", num_feat=8, num_block1=2, num_block2=1)),
    "msrresnet": exact(build("msrresnet", num_feat=6, num_block=2)),
    "rfdn": exact(build("rfdn", num_feat=16, num_block=2)),
    "gated depthwise": exact(searched("mobilenetv3")),
    "two steps": exact(searched("inverted_x3", "two_step")),
    "all blocks' outputs": exact(searched("residual_relu", aggregation="concat")),
}
GROUPS = {name: coupled_groups(network) for name, network in NETWORKS.items()}

each_network = pytest.mark.parametrize("name", NETWORKS)


def sides_of(group: Group) -> set[tuple[str, str]]:
    return {(member.conv, member.side) for member in group.members}


def group_with(name: str, conv: str, side: str) -> Group:
    (found,) = [group for group in GROUPS[name] if (conv, side) in sides_of(group)]
    return found


def member(group: Group, conv: str, side: str) -> Member:
    (found,) = [member for member in group.members if (member.conv, member.side) == (conv, side)]
    return found


def conv_of(network: nn.Module, name: str) -> nn.Conv2d:
    conv = network.get_submodule(name)
    assert isinstance(conv, nn.Conv2d)
    return conv


def without(name: str, units: dict[int, list[int]]) -> nn.Module:
    """Zero the removed channels' weights, where they are written and where they are read."""
    network = copy.deepcopy(NETWORKS[name])
    for index, chosen in units.items():
        for one in GROUPS[name][index].members:
            conv = conv_of(network, one.conv)
            for channel in [channel for unit in chosen for channel in one.channels[unit]]:
                if one.side == "outputs":
                    conv.weight.data[channel] = 0
                    if conv.bias is not None:
                        conv.bias.data[channel] = 0
                elif conv.groups == 1:
                    conv.weight.data[:, channel] = 0
    return network


def picture(side: int = 16) -> Tensor:
    return torch.rand(1, 3, side, side + 5, dtype=torch.float64)


@each_network
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_what_is_removed_computes_what_zeroed_weights_compute(name: str, data: st.DataObject) -> None:
    groups = GROUPS[name]
    indices = data.draw(st.sets(st.integers(0, len(groups) - 1), min_size=1))
    units = {
        index: data.draw(st.lists(st.integers(0, groups[index].units - 1), max_size=groups[index].units - 1))
        for index in indices
    }
    small = removed(NETWORKS[name], groups, units)
    gone: dict[tuple[str, str], int] = {}
    for index, chosen in units.items():
        for one in groups[index].members:
            channels = {channel for unit in chosen for channel in one.channels[unit]}
            gone[one.conv, one.side] = gone.get((one.conv, one.side), 0) + len(channels)
    for conv_name, dense in NETWORKS[name].named_modules():
        if isinstance(dense, nn.Conv2d):
            conv = conv_of(small, conv_name)
            outputs, inputs = gone.get((conv_name, "outputs"), 0), gone.get((conv_name, "inputs"), 0)
            assert (conv.out_channels, conv.in_channels) == (dense.out_channels - outputs, dense.in_channels - inputs)
            assert conv.weight.shape[:2] == (conv.out_channels, conv.in_channels // conv.groups)
    lr = picture()
    with torch.no_grad():
        got, wanted = small(lr), without(name, units)(lr)
    assert got.shape == (1, 3, 64, 84)
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10 * wanted.abs().max().item())


@each_network
def test_every_group_matters(name: str) -> None:
    # The comparison above would hold for weights that do nothing, too.
    lr = picture()
    with torch.no_grad():
        dense = NETWORKS[name](lr)
        for index, group in enumerate(GROUPS[name]):
            # Behind a ReLU one unit alone may be dead.
            assert not torch.equal(without(name, {index: list(range(group.units))})(lr), dense)


@each_network
def test_pictures_are_left_whole(name: str) -> None:
    convs = {key: module for key, module in NETWORKS[name].named_modules() if isinstance(module, nn.Conv2d)}
    reads = {key for key, conv in convs.items() if conv.in_channels == 3 and conv.groups == 1}
    writes = {key for key, conv in convs.items() if conv.out_channels in (3, 48) and "last" in key}
    writes |= {"upsampler.0"} & set(convs)
    assert reads
    assert len(writes) == 1
    listed = set().union(*map(sides_of, GROUPS[name]))
    assert not {(key, "inputs") for key in reads} & listed
    assert not {(key, "outputs") for key in writes} & listed


@each_network
def test_every_other_channel_is_in_one_group(name: str) -> None:
    listed: list[tuple[str, str, int]] = [
        (one.conv, one.side, channel)
        for group in GROUPS[name]
        for one in group.members
        for unit in one.channels
        for channel in unit
    ]
    assert len(listed) == len(set(listed))
    convs = [module for module in NETWORKS[name].modules() if isinstance(module, nn.Conv2d)]
    # Two sides are left whole: the three channels read, the 3 or 48 written.
    assert sum(conv.in_channels + conv.out_channels for conv in convs) - len(listed) in (3 + 3, 3 + 48)
    assert all(len(one.channels) == group.units >= 2 for group in GROUPS[name] for one in group.members)


def test_a_residual_tensor_is_one_group_with_all_its_writers_and_readers() -> None:
    shared = group_with("hcsrn", "head", "outputs")
    writers = {"head", "stage1.fuse"} | {
        f"stage1.blocks.{block}.{conv}" for block in range(2) for conv in ("row_a", "column_b", "coarse2")
    }
    readers = {"stage1.fuse", "upconv1"} | {
        f"stage1.blocks.{block}.{conv}" for block in range(2) for conv in ("column_a", "row_b", "coarse1")
    }
    assert sides_of(shared) == {(key, "outputs") for key in writers} | {(key, "inputs") for key in readers}
    assert shared.units == 8


def test_a_pixel_shuffle_makes_one_channel_of_four() -> None:
    shared = group_with("hcsrn", "head", "outputs")
    assert member(shared, "stage1.blocks.0.coarse2", "outputs").channels[3] == (12, 13, 14, 15)
    after_shuffle = group_with("msrresnet", "upconv1", "outputs")
    assert member(after_shuffle, "upconv1", "outputs").channels[5] == (20, 21, 22, 23)
    assert member(after_shuffle, "upconv2", "inputs").channels[5] == (5,)


def test_a_concatenation_repeats_a_tensor() -> None:
    assert member(group_with("hcsrn", "head", "outputs"), "stage1.fuse", "inputs").channels[3] == (3, 11)


def test_a_depthwise_convolution_goes_on_both_sides() -> None:
    group = group_with("gated depthwise", "trunk.0.expand", "outputs")
    assert {("trunk.0.depthwise", "inputs"), ("trunk.0.depthwise", "outputs")} <= sides_of(group)


@each_network
def test_scores_are_the_mean_squared_norms_of_a_units_weights(name: str) -> None:
    network, groups = NETWORKS[name], GROUPS[name]
    for group, score in zip(groups, magnitude_scores(network, groups), strict=True):
        norms = torch.zeros(group.units)
        for one in group.members:
            conv = conv_of(network, one.conv)
            # The library leaves depthwise convolutions out of the sum.
            if conv.groups == 1:
                squares = conv.weight.detach().square().sum((1, 2, 3) if one.side == "outputs" else (0, 2, 3))
                norms += torch.tensor([squares[list(channels)].sum() for channels in one.channels])
        torch.testing.assert_close(score, norms / norms.mean(), rtol=1e-4, atol=1e-5)


def test_a_silent_group_scores_zero() -> None:
    network = copy.deepcopy(NETWORKS["msrresnet"])
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    scores = magnitude_scores(network, GROUPS["msrresnet"])
    assert all(score.eq(0).all() for score in scores)


def test_the_network_given_stays_as_it_is() -> None:
    network = NETWORKS["msrresnet"]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    coupled_groups(network)
    magnitude_scores(network, GROUPS["msrresnet"])
    removed(network, GROUPS["msrresnet"], {0: [1]})
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_frozen_shifts_of_the_mean_are_left_whole() -> None:
    network = deploy(build("pfsnet", num_feat=8))
    convs = {one.conv for group in coupled_groups(network) for one in group.members}
    assert convs
    assert not {"sub_mean", "add_mean"} & convs


def test_an_image_that_the_library_cannot_follow_is_left_out_of_its_graph() -> None:
    # ECBSR adds the picture with each channel sixteen times.
    assert len(coupled_groups(deploy(build("ecbsr", num_feat=8)))) >= 2


class WithPicture(nn.Module):
    """Reads the picture twice, the second time before its features."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 6, 3, padding=1)
        self.tail = nn.Conv2d(9, 48, 3, padding=1)
        self.shuffle = nn.PixelShuffle(4)

    def forward(self, lr: Tensor) -> Tensor:
        out: Tensor = self.shuffle(self.tail(torch.cat((lr, self.head(lr)), dim=1)))
        return out


def test_a_concatenation_with_the_picture_keeps_its_channels() -> None:
    (group,) = coupled_groups(WithPicture())
    assert member(group, "head", "outputs").channels == tuple((channel,) for channel in range(6))
    assert member(group, "tail", "inputs").channels == tuple((channel + 3,) for channel in range(6))


@pytest.mark.parametrize(
    ("network", "cause"),
    [
        (build("imdn", num_feat=8, num_block=2), "IMDN .* are left"),
        (build("dilutnet", num_feat=8), "DilutNet"),
        (build("psan", num_feat=8, num_group=1, num_block=1), "PSAN .*computes something else"),
        (searched("idle"), "SearchedNetwork"),
    ],
    ids=["split by stored sizes", "library fails", "mean over channels", "halves"],
)
def test_a_network_beyond_the_library_is_refused_by_name(network: nn.Module, cause: str) -> None:
    with pytest.raises(InputError, match=f"torch-pruning cannot prune a {cause}") as raised:
        coupled_groups(deploy(network))
    assert "\n" not in str(raised.value)


def test_units_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match="has the units 0 to 5, got 6"):
        removed(NETWORKS["msrresnet"], GROUPS["msrresnet"], {0: [6]})


def test_a_group_keeps_a_unit() -> None:
    with pytest.raises(InputError, match="keeps at least one unit; all 6 of group 0"):
        removed(NETWORKS["msrresnet"], GROUPS["msrresnet"], {0: range(6)})
