"""SAFMN: the official counts, and its views at four sizes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from baselines import build
from baselines.networks.safmn import ChannelNorm, pooled, repeated
from sr.errors import InputError
from sr.exporting import export_onnx
from sr.measure.complexity import count


def test_counts_are_the_official_ones():
    counts = count(build("safmn"))
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == (
        239_520,
        15_408_340_992,
        87_269_376,
        58,
    )
    assert counts.challenge_flops / 1e9 == pytest.approx(15.41, abs=5.1e-3)
    assert counts.activations / 1e6 == pytest.approx(87.27, abs=5.1e-3)


@pytest.mark.numeric
@given(st.integers(8, 70), st.integers(8, 70), st.sampled_from([2, 4, 8]))
def test_views_are_the_official_ones_at_every_size(height, width, size):
    x = torch.randn(1, 2, height, width)
    official = F.adaptive_max_pool2d(x, (height // size, width // size))
    assert torch.equal(pooled(x, size), official)
    assert torch.equal(repeated(official, x), F.interpolate(official, size=(height, width), mode="nearest"))


@pytest.mark.numeric
@pytest.mark.parametrize("size", [2, 4, 8])
def test_pixels_are_the_interpolated_ones_up_to_long_sides(size):
    for side in (*range(8, 400), 1000, 1021, 2040, 2999):
        small = torch.arange(side // size, dtype=torch.float32).view(1, 1, -1, 1)
        assert torch.equal(repeated(small, torch.empty(1, 1, side, 1)), F.interpolate(small, (side, 1), mode="nearest"))


@given(st.integers(1, 7), st.integers(1, 20))
def test_a_side_too_short_to_pool_is_one_window(height, width):
    x = torch.randn(1, 1, height, width)
    seen = pooled(x, 8)
    assert seen.shape == (1, 1, 1, max(1, width // 8))
    assert seen.max() == x.max()


@pytest.mark.numeric
def test_the_onnx_network_computes_the_same_at_sizes_that_8_does_not_divide(tmp_path):
    network = build("safmn", num_feat=8, num_block=1)
    # Both compute in float32: at most its unit roundoff for each term of each convolution in turn, 16 * 9 terms in the
    # widest, on values of about one.
    convs = sum(isinstance(module, torch.nn.Conv2d) for module in network.modules())
    bound = convs * 16 * 9 * torch.finfo(torch.float32).eps / 2
    found = export_onnx(network, tmp_path / "safmn.onnx", sizes=((8, 9), (15, 23), (49, 98), (64, 101)))
    assert found < bound


@pytest.mark.numeric
def test_channel_norm_is_layer_norm_over_the_channels():
    norm = ChannelNorm(5).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 3 * torch.randn(2, 5, 4, 6, dtype=torch.float64) + 1
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (5,), norm.weight.flatten(), norm.bias.flatten(), eps=1e-6)
    torch.testing.assert_close(norm(x), expected.permute(0, 3, 1, 2))


def test_tiny_pictures_and_odd_widths():
    assert build("safmn", num_feat=4, num_block=1)(torch.rand(1, 3, 1, 3)).shape == (1, 3, 4, 12)
    with pytest.raises(InputError, match="multiple of 4, got 6"):
        build("safmn", num_feat=6)
