"""EFDN: its training form, and the path of its features."""

import pytest
import torch
from torch import nn

from baselines import build
from search_spaces.wide_reparam import EdgeOrientedConv
from sr.measure.complexity import count


def test_the_training_form_branches_the_3x3_steps():
    network = build("efdn", branched=True)
    for cell in network.cells:
        assert [isinstance(step.conv, EdgeOrientedConv) for step in cell.steps] == [False, True, True]
    assert count(network) == count(build("efdn"))


@pytest.mark.numeric
def test_the_third_cell_is_heard_by_the_fourth_alone():
    network = build("efdn", num_feat=8).eval()
    lr = torch.rand(1, 3, 16, 17)
    with torch.no_grad():
        before = network(lr)
        # The second half of the fusion before the fourth cell is where the third one's output goes.
        network.fusions[1].weight[:, 8:] = 0
        deaf = network(lr)
        assert not torch.equal(deaf, before)
        nn.init.ones_(network.cells[2].fuse.weight)
        assert torch.equal(network(lr), deaf)
