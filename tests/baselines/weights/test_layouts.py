"""Whole networks by their authors' names, in the form that their code saves in training, compute the same here."""

import pytest
import torch
from torch import nn

from baselines import BASELINES, build
from baselines.official_weights import convert
from baselines.weights.layouts import known_names
from sr.deployment import deploy
from sr.errors import InputError

# By name: a small size, and whether it is in a training form that folds.
NETWORKS = {
    "span": {"num_feat": 8, "branched": True},
    "ecbsr": {"num_feat": 8, "num_block": 3, "branched": True},
    "fmen": {"num_feat": 12, "narrow_feat": 8, "branched": True},
    "plainusr": {"num_feat": 8, "num_block": 3, "importance_feat": 4, "branched": True},
    "rt4ksr": {"num_feat": 8, "num_block": 2, "branched": True},
    "etds": {"num_feat": 12, "num_block": 3, "branched": True},
    "safmn": {"num_feat": 12, "num_block": 3},
    "bicubic_pp": {"num_feat": 12},
    "srvgg": {"num_feat": 12, "num_block": 4},
    "xlsr": {"num_feat": 16, "num_block": 2},
}
# What their authors publish at other scales alone, and of every form that folds one.
AT_OTHER_SCALES = [("bicubic_pp", 3), ("rt4ksr", 2), ("xlsr", 3), ("etds", 3), ("ecbsr", 2)]


def disturbed(name, scale=4):
    """Return a network whose every tensor shows."""
    network = build(name, **NETWORKS[name], scale=scale).eval()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor += 0.05 * torch.randn_like(tensor)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    return network


@pytest.mark.numeric
@pytest.mark.parametrize(("name", "scale"), [*((name, 4) for name in NETWORKS), *AT_OTHER_SCALES])
def test_the_authors_names_and_training_forms_come_in(name, scale, as_published):
    network = disturbed(name, scale)
    converted = convert(name, as_published(name, network))
    config = {key: value for key, value in NETWORKS[name].items() if key != "branched"}
    assert converted.description.config.get("scale", 4) == scale
    assert {"name": name, **config}.items() <= converted.description.config.items()
    # What comes in is the deployed form.
    ours = converted.build().double()
    lr = torch.rand(2, 3, 18, 23, dtype=torch.float64)
    with torch.inference_mode():
        expected = deploy(network.double())(lr)
        # In float32 the folded weights were rounded: by 2**-24 of their size, through all layers.
        torch.testing.assert_close(ours(lr), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.numeric
def test_ecbsr_deployed_by_its_authors_and_by_etdss_is_one_network():
    network = build("ecbsr", num_feat=8, num_block=2)
    layers = ["body.0", "body.2", "body.4", "tail"]
    authors, etds = {}, {}
    for index, layer in enumerate(layers):
        for each in ("weight", "bias"):
            authors[f"backbone.{index}.conv3x3.{each}"] = network.state_dict()[f"{layer}.{each}"]
            etds[f"backbone.{index}.0.{each}"] = network.state_dict()[f"{layer}.{each}"]
        if layer != "tail":
            slope = network.state_dict()[f"body.{2 * index + 1}.weight"]
            authors[f"backbone.{index}.act.weight"] = etds[f"backbone.{index}.1.weight"] = slope
    for official in (authors, etds):
        converted = convert("ecbsr", official)
        assert converted.description.config == {"name": "ecbsr", "num_feat": 8, "num_block": 2}
        assert all(torch.equal(converted.tensors[name], tensor) for name, tensor in network.state_dict().items())


def test_a_span_without_its_normalisation_is_refused(as_published):
    official = as_published("span", disturbed("span")) | {"no_norm": torch.zeros(1)}
    with pytest.raises(InputError, match="does not subtract the mean colour"):
        convert("span", official)


def test_what_profilers_leave_behind_is_no_obstacle():
    official = build("srvgg", num_feat=8, num_block=2).state_dict()
    left = {
        "total_ops": torch.zeros(1),
        "body.0.total_params": torch.zeros(1),
        "x.num_batches_tracked": torch.tensor(3),
    }
    assert len(convert("srvgg", {**official, **left}).tensors) == len(official)


def test_safmn_and_ecbsr_are_known_beside_those_whose_entries_say_so():
    assert {"safmn", "ecbsr", *(name for name, entry in BASELINES.items() if entry.official_keys)} <= set(known_names())
