"""The contract that every baseline meets, and the counts that the challenge published."""

import functools
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import BASELINES, build
from baselines.challenge_table.published import PRINTED_UNIT, row, rows
from sr.deployment import deploy
from sr.measure.complexity import Complexity, count
from tests.baselines.free_size import assert_exports_at_free_size
from tests.baselines.small import small

# params, challenge FLOPs, activations, convolution calls for one 256x256 picture, as the official counter gives them.
COUNTS = {
    "msrresnet": (1_517_571, 166_362_873_856, 292_552_704, 37),
    "imdn": (893_936, 58_531_512_320, 154_140_672, 43),
    "imdn_paper": (715_176, 46_598_720_536, 122_683_800, 46),
    "rfdn": (433_448, 27_102_622_560, 112_034_240, 64),
    "fimdn": (687_056, 44_983_910_400, 118_489_088, 33),
    "pan": (272_419, 32_190_758_912, 270_532_608, 121),
    "latticenet": (776_968, 49_678_991_488, 132_319_360, 104),
    "gcsr": (599_880, 39_360_987_136, 170_065_920, 90),
}
# The same to the digits that were published for them: millions, 1e9, millions, calls.
ROUNDED_COUNTS = {
    "maffsrn": (0.441706, 27.1161, 212.2427, 159),
    "larvanet": (1.289808, 84.4313, 188.7437, 60),
    "rlfn": (0.317218, 19.70, 80.05, 39),
    "efdn": (0.276192, 16.73, 111.12, 65),
    "span": (0.150688, 9.83, 41.68, 22),
    "disp": (0.163792, 10.69, 40.89, 19),
    "spanv2": (0.139104, 9.13, 51.38, 22),
}
# Rows of Table 1 whose network is known exactly, and what Table 1 calls them.
EXACT_ROWS = {
    "msrresnet": "MSRResNet",
    "imdn": "IMDN",
    "rfdn": "RFDN",
    "fimdn": "FIMDN",
    "pan": "PAN",
    "latticenet": "LatticeNet",
    "gcsr": "GCSR",
    "maffsrn": "MAFFSRN",
    "larvanet": "LarvaNet",
}

# Networks that train as branches and fold into the deployed form.
BRANCHED = [name for name, entry in BASELINES.items() if entry.training_form == {"branched": True}]


@functools.cache
def on_meta(name: str) -> nn.Module:
    """Return the small form without any storage: shapes alone."""
    return small(name).to("meta")


@functools.cache
def full_on_meta(name: str) -> nn.Module:
    """Return the form that was published, without any storage."""
    return build(name).to("meta")


@functools.cache
def counted_as_published(name: str) -> Complexity:
    """Count a baseline at its full size for one 256x256 picture, weight norm not folded."""
    return count(full_on_meta(name), fold=False)


def test_every_network_has_expected_counts_here_or_in_its_own_test_file():
    own = {path.stem.removeprefix("test_") for path in Path(__file__).with_name("networks").glob("test_*.py")}
    assert set(COUNTS) | set(ROUNDED_COUNTS) <= set(BASELINES)
    assert set(BASELINES) <= set(COUNTS) | set(ROUNDED_COUNTS) | own


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_official_integers(name):
    counted = counted_as_published(name)
    assert (counted.params, counted.challenge_flops, counted.activations, counted.convs) == COUNTS[name]


@pytest.mark.parametrize("name", ROUNDED_COUNTS)
def test_counts_are_the_official_ones_to_the_printed_digits(name):
    counted = counted_as_published(name)
    params, flops, activations, convs = ROUNDED_COUNTS[name]
    assert counted.params / 1e6 == pytest.approx(params, abs=5e-7)
    assert counted.challenge_flops / 1e9 == pytest.approx(flops, abs=5.1e-3)
    assert counted.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)
    assert counted.convs == convs


@pytest.mark.parametrize(("name", "system"), EXACT_ROWS.items())
def test_counts_agree_with_table_1(name, system):
    counted, published = counted_as_published(name), row(system)
    figures = {
        "params_m": counted.params / 1e6,
        "flops_g": counted.challenge_flops / 1e9,
        "activations_m": counted.activations / 1e6,
    }
    for column, figure in figures.items():
        assert published.status(column) == "published"
        assert figure == pytest.approx(published.value(column), abs=PRINTED_UNIT[column]), column
    # LarvaNet's published number has the 8 convolutions of the legs, which the deployed network does not run.
    assert counted.convs == published.convs - (8 if name == "larvanet" else 0)


@pytest.mark.numeric
@pytest.mark.parametrize("name", BASELINES)
def test_shape_purity_and_independence_of_the_batch(name):
    network = small(name).double()
    lr = torch.rand(2, 3, 17, 22, dtype=torch.float64)
    kept = lr.clone()
    with torch.inference_mode():
        sr = network(lr)
        alone = network(lr[:1])
    assert sr.shape == (2, 3, 68, 88)
    assert torch.isfinite(sr).all()
    assert torch.equal(lr, kept)
    torch.testing.assert_close(sr[:1], alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_runs_on_meta_and_at_the_smallest_side(name):
    assert full_on_meta(name)(torch.empty(1, 3, 15, 19, device="meta")).shape == (1, 3, 60, 76)


@given(name=st.sampled_from(sorted(BASELINES)), n=st.integers(1, 3), h=st.integers(15, 300), w=st.integers(15, 300))
@settings(deadline=None, max_examples=30)
def test_every_size_is_enlarged_four_times(name, n, h, w):
    network = on_meta(name)
    assert network(torch.empty(n, 3, h, w, device="meta")).shape == (n, 3, 4 * h, 4 * w)


@pytest.mark.numeric
@pytest.mark.parametrize("name", BASELINES)
def test_every_parameter_learns(name):
    network = small(name).train()
    network(torch.rand(1, 3, 32, 32)).square().mean().backward()
    for key, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.numeric
@pytest.mark.parametrize("name", BRANCHED)
def test_training_forms_fold_into_the_deployed_form(name):
    branched = build(name, num_feat=8, branched=True).double().eval()
    folded, lr = deploy(branched), torch.rand(1, 3, 16, 17, dtype=torch.float64)
    shapes = {key: value.shape for key, value in folded.state_dict().items()}
    assert shapes == {key: value.shape for key, value in build(name, num_feat=8).state_dict().items()}
    with torch.inference_mode():
        torch.testing.assert_close(folded(lr), branched(lr), rtol=0, atol=1e-10)


@pytest.mark.numeric
@pytest.mark.parametrize("name", BRANCHED)
def test_every_branch_learns(name):
    network = build(name, num_feat=8, branched=True).train()
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.numeric
@pytest.mark.parametrize("name", ["imdn_paper", "latticenet"])
def test_flat_pictures_have_finite_gradients(name):
    network = small(name).train()
    network(torch.zeros(1, 3, 16, 16)).mean().backward()
    assert all(torch.isfinite(each.grad).all() for each in network.parameters() if each.grad is not None)


@pytest.mark.parametrize("name", BASELINES)
def test_exports_with_free_height_and_width(name):
    # The exporter takes its time per operator, and one block has all of them.
    assert_exports_at_free_size(small(name, num_block=1).double())


@pytest.mark.parametrize("name", BASELINES)
def test_the_shares_of_every_training_are_the_whole(name):
    stages = BASELINES[name].recipe
    assert sum(stage.share for stage in stages) == pytest.approx(1)
    recipes = [stage.recipe(1000, {}) for stage in stages]
    assert sum(recipe.steps for recipe in recipes) == 1000
    assert all(recipe.learning_rate > 0 for recipe in recipes)


def test_papers_say_how_their_networks_were_trained():
    assert [stage.recipe(10, {}).loss for stage in BASELINES["rfdn"].recipe] == ["l1", "l2"]
    assert BASELINES["gcsr"].recipe[0].recipe(10, {}).loss == "l1_gradient"


@pytest.mark.parametrize("name", [name for name, entry in BASELINES.items() if entry.training_form])
def test_training_forms_are_configs_that_hold_other_than_the_deployed_form(name):
    with torch.device("meta"):
        trained, deployed = build(name, **BASELINES[name].training_form), build(name)
    held, shipped = (sum(each.numel() for each in network.parameters()) for network in (trained, deployed))
    # Zeros of the deployed kernels are not there in training: taps beyond a transposed one, features unread.
    assert held < shipped if name in {"etds", "fsrcnn"} else held > shipped


@pytest.mark.parametrize("name", BASELINES)
def test_a_system_says_where_it_comes_from_unless_table_1_does(name):
    entry = BASELINES[name]
    assert (entry.since == "") == (entry.system in {each.system for each in rows()})
