import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.architecture import Architecture, Block
from search_spaces.kinds import SYMMETRIC
from search_spaces.network import SearchedNetwork, build, untrained
from search_spaces.symmetry import SymmetricConv, SymmetricConv3XC, feature_orders
from sr.deployment import deploy

WIDTHS = st.sampled_from((8, 12, 16, 20, 24, 40, 64))


def turned(feature: Tensor, symmetry: int) -> Tensor:
    """Return a map turned by so many quarters, from four on mirrored across its diagonal before."""
    return torch.rot90(feature.transpose(2, 3) if symmetry >= 4 else feature, symmetry % 4, (2, 3))


def network(num_feat: int = 16, blocks: int = 3) -> SearchedNetwork:
    return build(Architecture(num_feat, (Block(SYMMETRIC[0]),) * blocks, image_skip="learned")).double()


def features(of: SearchedNetwork, lr: Tensor) -> Tensor:
    """Return what the trunk makes of a picture."""
    feature = of.act(of.conv_first(lr))
    for block in of.trunk:
        feature = block(feature)
    return feature


@given(WIDTHS, st.integers(0, 7), st.integers(3, 9), st.integers(3, 9), st.integers(0, 10**6))
def test_features_turn_with_the_picture(num_feat: int, symmetry: int, height: int, width: int, seed: int) -> None:
    torch.manual_seed(seed)
    made = network(num_feat)
    for value in made.parameters():
        nn.init.normal_(value, std=0.2)
    lr = torch.rand(1, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        straight, other = features(made, lr), features(made, turned(lr, symmetry))
        exchanged = [turned(straight[:, order], symmetry) for order in feature_orders(num_feat).tolist()]
    assert any(torch.allclose(other, each, rtol=0, atol=1e-9 * straight.abs().max().item()) for each in exchanged)


@given(WIDTHS)
def test_orders_of_features_are_a_group_of_eight(num_feat: int) -> None:
    orders = {tuple(order) for order in feature_orders(num_feat).tolist()}
    assert tuple(range(num_feat)) in orders
    assert all(sorted(order) == list(range(num_feat)) for order in orders)
    assert {tuple(np.array(first)[list(second)]) for first in orders for second in orders} == orders
    assert len(orders) == 8
    # A feature becomes each of its eight, or of the four that are left.
    becomes = [len({order[place] for order in orders}) for place in range(num_feat)]
    assert sorted(becomes) == [4] * (num_feat % 8) + [8] * (num_feat - num_feat % 8)


def test_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="a multiple of four, got 10"):
        feature_orders(10)


@pytest.mark.parametrize("made", [SymmetricConv(16), SymmetricConv3XC(16)], ids=["head", "block"])
def test_the_mean_is_its_own_gradient(made: SymmetricConv | SymmetricConv3XC) -> None:
    made.double()
    x = torch.randn(1, 3 if isinstance(made, SymmetricConv) else 16, 4, 4, dtype=torch.float64)
    parameters = [value.detach().requires_grad_() for value in made.parameters()]
    names = [name for name, _ in made.named_parameters()]

    def made_of(*values: Tensor) -> Tensor:
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (x,)).square().mean((2, 3))

    assert torch.autograd.gradcheck(made_of, parameters, fast_mode=True)


@pytest.mark.parametrize("num_feat", [16, 64])
def test_a_kernel_is_drawn_as_large_as_any_other(num_feat: int) -> None:
    torch.manual_seed(0)
    symmetric, plain = (
        deploy(build(Architecture(num_feat, (Block(kind),) * 8))) for kind in (SYMMETRIC[0], "wide_residual")
    )
    for name, weight in symmetric.named_parameters():
        if name.endswith("weight"):
            assert (weight.std() / plain.get_parameter(name).std()).item() == pytest.approx(1, rel=0.35), name


def test_only_a_first_block_that_turns_has_a_head_that_does() -> None:
    for kinds, is_symmetric in (((SYMMETRIC[0], "idle"), True), (("idle", SYMMETRIC[0]), False)):
        made = untrained(Architecture(16, tuple(map(Block, ("identity", *kinds)))))
        assert isinstance(made.conv_first, SymmetricConv) == is_symmetric
        assert type(deploy(made).conv_first) is nn.Conv2d
