import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import baselines
from search_spaces.reparam import BranchedConv3x3, ConvNorm
from sr.measure.complexity import Complexity, count

# Params, the challenge's FLOPs, activations and convs at 256x256: the figures behind the challenge's own table.
EXACT = {
    "msrresnet": (1_517_571, 166_362_873_856, 292_552_704, 37),
    "imdn": (893_936, 58_531_512_320, 154_140_672, 43),
    "rfdn": (433_448, 27_102_622_560, 112_034_240, 64),
}
PIXELS = 10 * 20


def counted(*modules: nn.Module, fold: bool = True) -> Complexity:
    return count(nn.Sequential(*modules), (10, 20), fold=fold)


@pytest.mark.parametrize("name", EXACT)
def test_the_challenge_counts(name: str) -> None:
    counts = count(baselines.build(name))
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == EXACT[name]


def test_counting_leaves_the_network_as_it_is() -> None:
    network = baselines.build("rfdn", num_feat=8).train()
    tensors = copy.deepcopy(network.state_dict())
    count(network, (16, 16))
    assert all(module.training and not module._forward_hooks for module in network.modules())
    assert all(
        tensor.device.type == "cpu" and torch.equal(tensor, tensors[name])
        for name, tensor in network.state_dict().items()
    )


def test_a_chain_of_convolutions_by_hand() -> None:
    counts = counted(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 3, 3, padding=1))
    params = 3 * 8 * 9 + 8 + 8 * 4 * 9 + 4 + 4 * 3 * 9 + 3
    multi_adds = PIXELS * 9 * (3 * 8 + 8 * 4 + 4 * 3)
    # At the peak the second convolution reads 8 channels and writes 4, while the input is kept by who called.
    memory = 4 * (params + 3 * PIXELS + (8 + 4) * PIXELS)
    assert counts == Complexity(params, multi_adds, multi_adds, (8 + 4 + 3) * PIXELS, 3, memory)


def test_an_activation_in_place_takes_no_memory() -> None:
    kept, in_place = (
        counted(nn.Conv2d(3, 8, 1), nn.ReLU(inplace=inplace), nn.Conv2d(8, 3, 1)) for inplace in (False, True)
    )
    params = 3 * 8 + 8 + 8 * 3 + 3
    assert kept.memory == 4 * (params + 3 * PIXELS + 2 * 8 * PIXELS)
    assert in_place.memory == 4 * (params + 3 * PIXELS + (8 + 3) * PIXELS)


def test_views_take_no_memory() -> None:
    plain = counted(nn.Conv2d(3, 8, 1))
    viewed = counted(nn.Conv2d(3, 8, 1), nn.Flatten(), nn.Unflatten(1, (8, 10, 20)))
    assert viewed.memory == plain.memory


def test_buffers_take_memory_and_are_no_params() -> None:
    plain, with_norm = counted(nn.Conv2d(3, 8, 1)), counted(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
    assert with_norm.params == plain.params + 2 * 8
    # Weight, bias, mean and variance in float32, the number of batches in int64; the norm's output, and beside it the
    # mean and deviation that the operator hands to a backward pass.
    assert with_norm.memory == plain.memory + 4 * 4 * 8 + 8 + 4 * 8 * PIXELS + 2 * 4 * 8


@given(st.integers(1, 3), st.sampled_from([1, 3]), st.sampled_from([1, 2]), st.booleans())
def test_one_convolution_by_hand(half: int, kernel: int, groups: int, bias: bool) -> None:
    channels = 2 * half
    conv = nn.Conv2d(channels, 4, kernel, padding=kernel // 2, groups=groups, bias=bias)
    counts = counted(nn.Conv2d(3, channels, 1), conv)
    first, second = 3 * channels * PIXELS, kernel**2 * channels // groups * 4 * PIXELS
    assert counts.multi_adds == counts.challenge_flops == first + second
    assert counts.params == 4 * channels + kernel**2 * channels // groups * 4 + 4 * bias


def test_a_transposed_convolution_is_a_convolution() -> None:
    counts = counted(nn.ConvTranspose2d(3, 5, 4, stride=4))
    assert counts.activations == 5 * 16 * PIXELS
    assert counts.convs == 1
    # Each input value meets each weight of its channel once; the challenge's counter charges per output instead.
    assert counts.multi_adds == 3 * 5 * 16 * PIXELS
    assert counts.challenge_flops == 16 * 3 * 5 * 16 * PIXELS


class Functional(nn.Module):
    """A convolution and a matrix product that are no modules, and a functional activation."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.mix = nn.Parameter(torch.rand(6, 6))

    def forward(self, lr: Tensor) -> Tensor:
        feature = F.relu(F.conv2d(lr, self.weight, padding=1))
        return (self.mix @ feature.flatten(2)).view_as(feature)


def test_functional_convolutions_count_as_multi_adds_alone() -> None:
    counts = counted(Functional())
    assert counts.multi_adds == PIXELS * (9 * 3 * 6 + 6 * 6)
    assert (counts.challenge_flops, counts.activations, counts.convs) == (0, 0, 0)
    assert counts.params == 6 * 3 * 9 + 36


def test_a_convolution_called_twice_counts_twice() -> None:
    conv = nn.Conv2d(3, 3, 1)
    once, twice = counted(conv), counted(conv, conv)
    assert (twice.convs, twice.activations, twice.multi_adds) == (2, 2 * once.activations, 2 * once.multi_adds)
    assert twice.params == once.params


@pytest.mark.parametrize(
    ("module", "per_element"),
    [(nn.ReLU(), 1), (nn.LeakyReLU(), 1), (nn.PReLU(), 1), (nn.ReLU6(), 1), (nn.ELU(), 1), (nn.SiLU(), 0),
     (nn.Sigmoid(), 0), (nn.BatchNorm2d(3), 2), (nn.BatchNorm2d(3, affine=False), 1)],
)  # fmt: skip
def test_what_the_challenge_charges_beside_convolutions(module: nn.Module, per_element: int) -> None:
    assert counted(module).challenge_flops == per_element * 3 * PIXELS


def test_foldable_modules_are_counted_folded_or_as_they_are() -> None:
    network = ConvNorm(nn.Conv2d(3, 4, 3, padding=1))
    folded, unfolded = counted(network), counted(network, fold=False)
    assert folded.params == 3 * 4 * 9 + 4
    assert unfolded.params == folded.params + 2 * 4
    assert unfolded.challenge_flops == folded.challenge_flops + 2 * 4 * PIXELS
    assert folded.multi_adds == unfolded.multi_adds == 9 * 3 * 4 * PIXELS


def test_branches_cost_one_convolution_when_folded() -> None:
    network = BranchedConv3x3(3, 3, identity=True)
    folded, unfolded = counted(network), counted(network, fold=False)
    assert folded == counted(nn.Conv2d(3, 3, 3, padding=1))
    assert unfolded.params == folded.params + 9 * (3 + 3 + 1)
    assert unfolded.convs == 0


@given(st.integers(8, 24), st.integers(8, 24))
def test_costs_grow_with_the_area(height: int, width: int) -> None:
    network = nn.Conv2d(3, 4, 3, padding=1)
    one, more = count(network, (height, width)), count(network, (height, 2 * width))
    assert more.params == one.params
    assert more.activations == 2 * one.activations
    assert more.multi_adds == 2 * one.multi_adds
