"""Dilut-Net: its distance to the published counts, its learned skips and its training form."""

import pytest
import torch

from baselines import build
from baselines.challenge_table.published import row
from search_spaces.reparam import DilutedConv
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.complexity import count


def counted(**config):
    with torch.device("meta"):
        return count(build("dilutnet", **config))


def test_counts_and_their_distance_to_table_1():
    counts, published = counted(), row("Dilut-Net")
    assert (counts.params, counts.challenge_flops, counts.activations) == (462_825, 30_236_737_536, 219_414_528)
    assert counts.convs == published.convs == 57
    assert counts.params / 1e6 == pytest.approx(published.params_m, rel=0.006)
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, rel=0.006)
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, rel=0.001)


def test_the_training_form_is_counted_as_the_deployed_one():
    assert counted(bases=3) == counted()


@pytest.mark.numeric
def test_skips_start_as_those_of_imdn_and_reach_every_earlier_output():
    network = build("dilutnet").double()
    assert sum(skips.numel() for skips in network.skips) == 21
    lr = torch.rand(1, 3, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        shallow = features = network.head(lr)
        for block in network.blocks:
            features = features + block(features)
        expected = network.upsampler(shallow + network.trunk(features))
        torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-12)
        for skips in network.skips:
            skips.fill_(0.25)
        outputs = [network.head(lr)]
        for block in network.blocks:
            outputs.append(block(outputs[-1]) + 0.25 * torch.stack(outputs).sum(0))
        expected = network.upsampler(outputs[0] + network.trunk(outputs[-1]))
        torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-12)


@pytest.mark.numeric
@pytest.mark.parametrize("growth", [0, 2])
def test_the_training_form_folds_exactly_into_the_deployed_one(growth):
    network = build("dilutnet", num_feat=16, num_block=2, bases=3).double().eval()
    if growth:
        network.grow(growth)
    plain = build("dilutnet", num_feat=16, num_block=2).double()
    plain.load_state_dict(deploy(network).state_dict())
    lr = torch.rand(2, 3, 7, 5, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(plain(lr), network(lr), rtol=0, atol=1e-10)


def test_every_convolution_grows():
    network = build("dilutnet", num_block=1, bases=3)
    network.grow(2)
    diluted = [module for module in network.modules() if isinstance(module, DilutedConv)]
    assert len(diluted) == 3 + 9
    assert all(each.mix.tolist() == pytest.approx([0.2] * 5) for each in diluted)
    # What a checkpoint of the grown network is built from.
    build("dilutnet", num_block=1, bases=5).load_state_dict(network.state_dict())


def test_the_deployed_form_does_not_grow():
    with pytest.raises(InputError, match="in its training form alone, got bases 1"):
        build("dilutnet", num_block=1).grow(2)


def test_splits_fit_every_width_that_is_allowed():
    for num_feat in (4, 8, 20, 48, 64):
        lr = torch.empty(1, 3, 5, 4, device="meta")
        assert build("dilutnet", num_feat=num_feat, num_block=1).to("meta")(lr).shape == (1, 3, 20, 16)
