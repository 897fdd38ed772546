"""SRVGGNetCompact: its published sizes, what it is to ECBSR, and its weights by the authors' names."""

import pytest
import torch

from baselines import build
from baselines.official_weights import convert
from sr.measure.complexity import count


# 64 wide with 16 or 32 as published; the narrow ones by the same layers.
@pytest.mark.parametrize(
    ("num_feat", "num_block", "params", "multi_adds", "activations", "convs"),
    [
        (64, 16, 621_424, 40.580, 74.45, 18),
        (64, 32, 1_213_296, 79.235, 141.56, 34),
        (16, 8, 26_112, 1.689, 12.58, 10),
        (24, 4, 32_040, 2.081, 11.01, 6),
    ],
)
def test_counts_are_the_official_ones(num_feat, num_block, params, multi_adds, activations, convs):
    counts = count(build("srvgg", num_feat=num_feat, num_block=num_block))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)


@pytest.mark.numeric
def test_it_computes_what_ecbsr_does():
    ours, other = (build(name, num_feat=8, num_block=2).double().eval() for name in ("srvgg", "ecbsr"))
    with torch.no_grad():
        for mine, theirs in zip(ours.parameters(), other.parameters(), strict=True):
            mine.copy_(theirs)
    lr = torch.rand(1, 3, 9, 10, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(lr), other(lr), rtol=0, atol=1e-12)


def test_weights_come_in_by_the_authors_names():
    official = {"body.0.weight": (8, 3, 3, 3), "body.0.bias": (8,), "body.1.weight": (8,)}
    official |= {"body.2.weight": (8, 8, 3, 3), "body.2.bias": (8,), "body.3.weight": (8,)}
    official |= {"body.4.weight": (48, 8, 3, 3), "body.4.bias": (48,)}
    converted = convert("srvgg", {key: torch.randn(shape) for key, shape in official.items()})
    assert converted.description.config == {"name": "srvgg", "num_feat": 8, "num_block": 1}
    assert converted.tensors.keys() == official.keys()
