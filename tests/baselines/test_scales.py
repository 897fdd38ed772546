"""Every network at every scale that it says it has, and the refusal of the others."""

import inspect

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import BASELINES, build
from baselines.registry import check_network, scaled
from sr.deployment import deploy
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE, SCALES
from tests.baselines.free_size import assert_exports_at_free_size

# Of what is not tested beside every network already.
OTHERS = [scale for scale in SCALES if scale != DEFAULT_SCALE]
AT_OTHERS = [(name, scale) for name, entry in BASELINES.items() for scale in entry.scales if scale != DEFAULT_SCALE]
FOLDING = [
    *((name, BASELINES[name].training_form, scale) for name, scale in AT_OTHERS if BASELINES[name].training_form),
    *(("etds", {"clip_conv": True}, scale) for scale in OTHERS),
]
# What a network with nothing learned is, where an interpolated picture is added to what it learns.
NEAREST = ("abpn", "ecbsr", "sesr", "srvgg")
BILINEAR = ("hcsrn", "lmsr", "msrresnet", "pan", "spsr", "srrn")
BICUBIC = ("gcsr", "larvanet", "maffsrn", "sam_sr_lite")


def sizes(name):
    """Return a config of few blocks, and as narrow as every part of the network allows."""
    otherwise = {
        "maffsrn": {"num_feat": 8, "num_group": 1},
        "efdn": {"num_feat": 8},
        "larn": {"num_feat": 8},
        "psan": {"num_feat": 8, "num_group": 1, "num_block": 1},
        "spsr": {"num_feat": 12, "num_block": 1},
        "hcsrn": {"num_feat": 8, "num_block1": 1, "num_block2": 1},
        "larvanet": {"num_feat": 8, "num_body": 1, "num_block": 1},
        "plainusr": {"num_feat": 8, "num_block": 2},
    }
    return otherwise.get(name, {"num_feat": 8, "num_block": 1})


def test_a_network_takes_a_scale_where_it_has_more_than_one():
    for name, entry in BASELINES.items():
        assert DEFAULT_SCALE in entry.scales, name
        assert set(entry.scales) <= set(SCALES), name
        assert ("scale" in inspect.signature(entry.network).parameters) == (len(entry.scales) > 1), name
    alone = {name for name, entry in BASELINES.items() if len(entry.scales) == 1}
    # A cascade of two doublings, what is unrolled for one degradation, and what a search found for one scale.
    assert alone == {"cfn", "esrnet", "idlesr", "isrresdnet", "neptuneai"}


@pytest.mark.parametrize(("name", "scale"), AT_OTHERS)
def test_pictures_become_so_many_times_as_high_and_wide(name, scale):
    with torch.device("meta"):
        network, lr = build(name, **sizes(name), scale=scale).eval(), torch.empty(2, 3, 17, 22)
    assert network(lr).shape == (2, 3, scale * 17, scale * 22)


@pytest.mark.numeric
@pytest.mark.parametrize(("name", "form", "scale"), FOLDING)
def test_training_forms_fold_into_the_deployed_form(name, form, scale):
    size = {**sizes(name), "scale": scale}
    trained = build(name, **size, **form).double().eval()
    folded, lr = deploy(trained), torch.rand(1, 3, 16, 17, dtype=torch.float64)
    if name != "larvanet":
        # Its legs are left out of what is shipped, not folded.
        shapes = {key: value.shape for key, value in folded.state_dict().items()}
        assert shapes == {key: value.shape for key, value in deploy(build(name, **size)).state_dict().items()}
    with torch.inference_mode():
        torch.testing.assert_close(folded(lr), trained(lr), rtol=0, atol=1e-10)


@pytest.mark.numeric
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", [*NEAREST, *BILINEAR, *BICUBIC])
def test_what_has_learned_nothing_interpolates(name, scale):
    network = build(name, **sizes(name), scale=scale).double().eval()
    for key, parameter in network.named_parameters():
        # Not the mean colour, nor the directions of normed kernels, whose lengths are zero then.
        if not key.startswith(("sub_mean.", "add_mean.")) and not key.endswith("weight_v"):
            nn.init.zeros_(parameter)
    lr = torch.rand(1, 3, 16, 18, dtype=torch.float64)
    mode = "nearest" if name in NEAREST else "bilinear" if name in BILINEAR else "bicubic"
    corners = None if mode == "nearest" else False
    expected = F.interpolate(lr, scale_factor=scale, mode=mode, align_corners=corners)
    with torch.inference_mode():
        torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-9)


@pytest.mark.numeric
@pytest.mark.parametrize("scale", OTHERS)
def test_half_the_size_and_odd_sides_are_cut_to_the_scale(scale):
    for name in ("bicubic_pp", "rt4ksr"):
        network = build(name, num_feat=4, num_block=1, scale=scale).double().eval()
        lr = torch.rand(1, 3, 7, 9, dtype=torch.float64)
        with torch.inference_mode():
            padded = network(F.pad(lr, (0, 1, 0, 1)))[:, :, : scale * 7, : scale * 9]
            torch.testing.assert_close(network(lr), padded, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "scale"), [("fsrcnn", 3), ("pan", 3), ("bicubic_pp", 2)])
def test_exports_with_free_height_and_width(name, scale):
    assert_exports_at_free_size(build(name, **sizes(name), scale=scale).double().eval())


# Which their authors publish at x3 alone.
@pytest.mark.parametrize(
    ("name", "scale", "params"),
    [("bicubic_pp", 3, 50_400), ("xlsr", 3, 21_947), ("abpn", 3, 42_539)],
)
def test_parameters_are_those_that_were_published_at_other_scales(name, scale, params):
    with torch.device("meta"):
        assert sum(each.numel() for each in build(name, scale=scale).parameters()) == params


def test_the_usual_scale_may_be_said_of_every_network():
    with torch.device("meta"):
        for name in ("cfn", "rfdn"):
            plain, said = build(name, **sizes(name)), build(name, **sizes(name), scale=DEFAULT_SCALE)
            assert plain.state_dict().keys() == said.state_dict().keys()


def test_a_scale_that_a_network_has_not_is_refused_with_those_that_have_it():
    having = ", ".join(name for name, scale in AT_OTHERS if scale == 2)
    with pytest.raises(InputError) as refused:
        build("cfn", scale=2)
    assert str(refused.value) == f"cfn is a network of x4 alone; those that have x2 are {having}"
    check_network("rfdn", 3)
    for wrong in (5, "2", True):
        with pytest.raises(InputError, match=f"--scale is one of 2, 3, 4, got {wrong!r}"):
            build("rfdn", scale=wrong)


def test_configs_say_a_scale_where_it_is_not_the_usual_one():
    assert scaled({"num_feat": 8}, 4) == scaled({"num_feat": 8, "scale": 2}, 4) == {"num_feat": 8}
    assert scaled({"num_feat": 8}, 2) == {"num_feat": 8, "scale": 2}


@pytest.mark.numeric
@pytest.mark.parametrize("scale", SCALES)
def test_a_carried_picture_is_the_enlargement_at_first(scale):
    lr = torch.rand(1, 3, 8, 9, dtype=torch.float64)
    nearest = F.interpolate(lr, scale_factor=scale, mode="nearest")
    trained = build("etds", num_feat=8, num_block=1, branched=True, scale=scale).double().eval()
    for parameter in trained.tail.features.parameters():
        nn.init.zeros_(parameter)
    with torch.inference_mode():
        torch.testing.assert_close(trained(lr), nearest, rtol=0, atol=1e-12)
