"""MAFFSRN: its weight norm."""

import pytest
import torch

from baselines import build
from sr.deployment import deploy


@pytest.mark.numeric
def test_weight_norm_folds():
    network = build("maffsrn", num_feat=8, num_group=1).double().eval()
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if key.endswith("weight_g"):
                parameter.mul_(1 + torch.rand_like(parameter))
    folded = deploy(network)
    assert not any(key.endswith(("weight_g", "weight_v")) for key in folded.state_dict())
    lr = torch.rand(1, 3, 20, 20, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(folded(lr), network(lr), rtol=0, atol=1e-10)
