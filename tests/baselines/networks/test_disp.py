"""DISP: its plain blocks, and its training form."""

import pytest
import torch
from torch import nn

from baselines import build
from search_spaces.wide_reparam import Conv3XC
from sr.measure.complexity import count


def test_the_training_form_branches_every_3x3_but_the_last():
    network = build("disp", branched=True)
    assert sum(isinstance(module, Conv3XC) for module in network.modules()) == 1 + 4 * 4
    assert count(network) == count(build("disp"))


@pytest.mark.numeric
def test_a_block_whose_last_convolution_is_silent_is_the_identity():
    block = build("disp", num_feat=4, num_block=1).blocks[0]
    nn.init.zeros_(block.c4_r.weight)
    nn.init.zeros_(block.c4_r.bias)
    x = torch.randn(1, 4, 5, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x)
