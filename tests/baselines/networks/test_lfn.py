"""LFN: its distance to the published counts, and the cell that fuses its blocks."""

import pytest
import torch

from baselines import build
from baselines.challenge_table.published import row
from baselines.networks.lfn import CoupledLSTM
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    network = build("lfn")
    counts, published = count(network), row("LFN")
    assert (counts.params, counts.challenge_flops, counts.activations) == (663_024, 48_163_192_832, 158_334_976)
    # 36 convolutions, of which the cell's runs once for each of four blocks.
    assert sum(isinstance(module, torch.nn.Conv2d) for module in network.modules()) == published.convs == 36
    assert counts.convs == 36 + 3
    assert counts.params / 1e6 == pytest.approx(published.params_m, rel=0.002)
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, rel=0.002)


@pytest.mark.numeric
def test_the_cell_keeps_as_much_as_it_does_not_let_in():
    lstm = CoupledLSTM(2).double()
    x, hidden, cell = torch.randn(3, 1, 2, 4, 5, dtype=torch.float64)
    with torch.no_grad():
        lstm.gates.weight.zero_()
        lstm.gates.bias.copy_(torch.tensor([20.0, -20.0, 20.0, -20.0, 0.5, 0.5]))
        shown, kept = lstm(x, hidden, cell)
    torch.testing.assert_close(kept[:, 0], cell[:, 0])
    torch.testing.assert_close(kept[:, 1], torch.tanh(torch.full_like(cell[:, 1], 0.5)))
    torch.testing.assert_close(shown[:, 0], torch.tanh(cell[:, 0]))
    torch.testing.assert_close(shown[:, 1], torch.zeros_like(cell[:, 1]), atol=1e-6, rtol=0)


@pytest.mark.numeric
def test_the_cell_sees_the_blocks_in_turn():
    network = build("lfn", num_feat=4, mid_feat=3, narrow_feat=2, num_block=3).eval()
    seen = []
    network.lstm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    lr = torch.rand(1, 3, 4, 5)
    with torch.inference_mode():
        network(lr)
        features = network.head(lr)
        for index, block in enumerate(network.blocks):
            features = block(features)
            assert torch.equal(seen[index], features)
    assert len(seen) == 3
