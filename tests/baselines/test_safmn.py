"""SAFMN: the official counts, and its views at four sizes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from baselines import build
from baselines.safmn import ChannelNorm, pooled, repeated
from sr.complexity import count
from sr.errors import InputError


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


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([2, 4, 8]))
def test_views_are_the_official_ones_at_multiples_of_8(rows, columns, size):
    x = torch.randn(1, 2, 8 * rows, 8 * columns)
    official = F.adaptive_max_pool2d(x, (8 * rows // size, 8 * columns // size))
    assert torch.equal(pooled(x, size), official)
    enlarged = F.interpolate(official, size=x.shape[2:], mode="nearest")
    assert torch.equal(repeated(official, size, x), enlarged)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([2, 4, 8]))
def test_each_pixel_sees_the_largest_of_its_window(height, width, size):
    x = torch.randn(1, 1, height, width)
    seen = repeated(pooled(x, size), size, x)
    for row in range(height):
        for column in range(width):
            top, left = row // size * size, column // size * size
            assert seen[0, 0, row, column] == x[0, 0, top : top + size, left : left + size].max()


def test_channel_norm_is_layer_norm_over_the_channels():
    norm = ChannelNorm(5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = 3 * torch.randn(2, 5, 4, 6) + 1
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (5,), norm.weight.flatten(), norm.bias.flatten(), eps=1e-6)
    torch.testing.assert_close(norm(x), expected.permute(0, 3, 1, 2))


def test_tiny_pictures_and_odd_widths():
    assert build("safmn", num_feat=4, num_block=1)(torch.rand(1, 3, 1, 3)).shape == (1, 3, 4, 12)
    with pytest.raises(InputError, match="multiple of 4, got 6"):
        build("safmn", num_feat=6)
