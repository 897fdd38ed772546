"""LatticeNet: its mean colour."""

from baselines import build


def test_mean_shift_is_frozen():
    network = build("latticenet", num_block=1)
    frozen = {key for key, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"}
