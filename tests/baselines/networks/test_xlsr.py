"""XLSR: the official counts with the four heads in one convolution, and its clip."""

import pytest
import torch
from torch import nn

from baselines import build
from sr.errors import InputError
from sr.measure.complexity import count


def test_counts_are_the_official_ones():
    # The authors' four heads hold as much as one convolution and run as four: 14 with them.
    counts = count(build("xlsr"))
    assert (counts.params, counts.convs) == (28_016, 14 - 3)
    assert counts.multi_adds / 1e9 == pytest.approx(1.813, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(23.07, abs=5.1e-3)


def test_at_three_times_the_size_it_is_the_published_file():
    # The last convolution has 27 channels there in place of 48.
    params = sum(parameter.numel() for parameter in build("xlsr", scale=3).parameters())
    assert params == count(build("xlsr")).params - (48 - 27) * (9 * 32 + 1) == 21_947


def test_the_width_is_in_four_groups():
    with pytest.raises(InputError, match="multiple of 4, got 30"):
        build("xlsr", num_feat=30)


@pytest.mark.numeric
def test_sub_pixels_are_clipped():
    network = build("xlsr", num_feat=4, num_block=1)
    lr = torch.rand(1, 3, 5, 6)
    for bias, expected in ((9, 1), (-9, 0)):
        nn.init.constant_(network.tail.bias, bias)
        with torch.inference_mode():
            assert (network(lr) == expected).all()
