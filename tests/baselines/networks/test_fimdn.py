"""FIMDN's training form: three kernels for each 3x3 convolution of the blocks, one where it runs."""

import pytest
import torch
from torch import nn

from baselines import build
from search_spaces.reparam import BranchedConv3x3
from sr.deployment import deploy
from sr.measure.complexity import count


@pytest.mark.numeric
def test_the_training_form_folds_exactly_into_the_deployed_one():
    network = build("fimdn", num_feat=16, num_block=2, branched=True).double()
    plain = build("fimdn", num_feat=16, num_block=2).double()
    plain.load_state_dict(deploy(network).state_dict())
    lr = torch.rand(2, 3, 7, 5, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(plain(lr), network(lr), rtol=0, atol=1e-10)


def test_the_training_form_is_counted_as_the_deployed_one():
    with torch.device("meta"):
        assert count(build("fimdn", branched=True)) == count(build("fimdn"))


def test_the_four_convolutions_of_every_block_have_three_kernels():
    network = build("fimdn", branched=True)
    branched = [name for name, module in network.named_modules() if isinstance(module, BranchedConv3x3)]
    assert branched == [f"blocks.{block}.c{step}" for block in range(6) for step in range(1, 5)]
    kernels = {name: tuple(each.shape[2:]) for name, each in network.blocks[0].c2.named_parameters() if each.dim() == 4}
    assert kernels == {"square.weight": (3, 3), "column.weight": (3, 1), "row.weight": (1, 3)}


@pytest.mark.numeric
@pytest.mark.parametrize("branched", [False, True])
def test_every_kernel_learns(branched):
    network = build("fimdn", num_feat=8, num_block=1, branched=branched)
    network(torch.rand(1, 3, 6, 6)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    assert isinstance(network.head, nn.Conv2d)
