"""What operators that treat every channel alone keep, worked out by hand."""

import pytest
import torch
from torch import nn

from prune.graph.operators.channelwise import slice_prelu


def test_slopes_go_with_their_channels_and_one_slope_is_for_all():
    slopes, one = nn.PReLU(3), nn.PReLU()
    with torch.no_grad():
        slopes.weight.copy_(torch.tensor([0.1, 0.2, 0.3]))
    assert slice_prelu(slopes, (2, 0)).weight.tolist() == pytest.approx([0.3, 0.1])
    assert slice_prelu(one, (2, 0)) is one
