import copy

import pytest
import torch
from torch import nn

from search_spaces.reparam import BranchedConv3x3, ConvNorm
from sr.deployment import deploy

pytestmark = pytest.mark.numeric


def branched(channels: int) -> BranchedConv3x3:
    return BranchedConv3x3(channels, channels, identity=True)


def trained_norm(channels: int) -> ConvNorm:
    """A convolution and a batch norm whose statistics are not those it starts with."""
    module = ConvNorm(nn.Conv2d(channels, channels, 3, padding=1))
    with torch.no_grad():
        for _ in range(3):
            module(torch.rand(2, channels, 8, 8))
    return module


def nested() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ModuleDict({"inner": nn.Sequential(branched(4), nn.ReLU(), nn.Sequential(trained_norm(4)))})["inner"],
        branched(4),
    )


def test_nested_modules_fold_and_compute_the_same() -> None:
    network = nested().double().eval()
    deployed = deploy(network)
    kinds = [type(module) for module in deployed.modules()]
    assert kinds.count(nn.Conv2d) == 4
    assert not {BranchedConv3x3, ConvNorm, nn.BatchNorm2d} & set(kinds)
    lr = torch.rand(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(deployed(lr), network(lr), rtol=0, atol=1e-10)


def test_the_original_is_untouched() -> None:
    network = nested().train()
    before = copy.deepcopy(network.state_dict())
    deploy(network)
    assert all(module.training for module in network.modules())
    assert sum(isinstance(module, BranchedConv3x3) for module in network.modules()) == 2
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_copy_shares_no_tensor_and_is_in_eval_mode() -> None:
    network = nested()
    deployed = deploy(network)
    assert not any(module.training for module in deployed.modules())
    ours = {parameter.data_ptr() for parameter in network.parameters()}
    assert not ours & {parameter.data_ptr() for parameter in deployed.parameters()}


def test_a_network_that_is_one_foldable_module() -> None:
    network = branched(3).double()
    deployed = deploy(network)
    assert type(deployed) is nn.Conv2d
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(deployed(lr), network(lr), rtol=0, atol=1e-10)


def test_nothing_to_fold_gives_an_equal_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU())
    deployed = deploy(network)
    assert [type(module) for module in deployed] == [nn.Conv2d, nn.BatchNorm2d, nn.PReLU]
    lr = torch.rand(1, 3, 5, 6)
    assert torch.equal(deployed(lr), network.eval()(lr))


def test_deploying_twice_changes_nothing_more() -> None:
    once = deploy(nested())
    twice = deploy(once)
    assert list(once.state_dict()) == list(twice.state_dict())
    lr = torch.rand(1, 3, 5, 6)
    assert torch.equal(once(lr), twice(lr))
