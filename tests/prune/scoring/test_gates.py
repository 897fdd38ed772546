"""Gates change nothing until they move, score what a channel is worth, and masks are what surgery does."""

import copy
import random
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import build
from prune.graph.liveness import channel_liveness, everything
from prune.graph.plan import Execution, Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.rewrite.surgery import slim
from prune.scoring.gates import Gated
from prune.scoring.sites import gate_sites
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build as build_searched
from sr.data.pairs import Pairs, pack
from sr.deployment import deploy
from sr.errors import InputError
from sr.training.autotune import seconds_per_step
from sr.training.fit import fit, save_state
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle", "residual_leaky"))
BUILD = {
    "hcsrn": lambda: build("hcsrn", num_feat=8, num_block1=2, num_block2=1),
    "msrresnet": lambda: build("msrresnet", num_feat=8, num_block=2),
    "rfdn": lambda: build("rfdn", num_feat=8, num_block=2),
    "searched": lambda: build_searched(Architecture(8, MIXED, "two_step", "bilinear", "concat")),
}


@cache
def traced(name: str, dtype: torch.dtype = torch.float64) -> Graph:
    """Return a network whose weights are so large that every branch can be seen in the picture."""
    torch.manual_seed(0)
    graph = trace(BUILD[name]())
    graph.module.to(dtype)
    scatter(graph.module, 1)
    return graph


def scatter(module: nn.Module, seed: int) -> None:
    """Give all weights such values that what passes keeps its size, and biases to see."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 10
            parameter.copy_(torch.randn(parameter.shape, generator=source) / fan_in**0.5)


def moved(gated: Gated, seed: int = 2) -> Gated:
    """Move all gates away from 1, some below 0."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for gate in gated.gates():
            gate.add_(torch.randn(gate.shape, generator=source) / 2)
    return gated


def gated_of(name: str, dtype: torch.dtype = torch.float64, **options: float) -> Gated:
    graph = traced(name, dtype)
    return Gated(graph, gate_sites(graph), **options).to(dtype).eval()


def picture(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(3)).to(dtype)


def some_of(graph: Graph, seed: int) -> dict[str, Kept]:
    """Return a plan in which every side of every convolution keeps a random part."""
    drawn = random.Random(seed)
    share = drawn.choice([0.4, 0.7, 0.95])

    def part(side: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(channel for channel in side if drawn.random() < share)

    return {name: Kept(part(full.inputs), part(full.outputs)) for name, full in everything(graph).items()}


def possible(graph: Graph, kept: dict[str, Kept]) -> bool:
    try:
        return bool(channel_liveness(graph, kept))
    except InputError:
        return False


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


def zeroed(graph: Graph, kept: dict[str, Kept]) -> nn.Module:
    """Return the dense network in which the weights of all that a plan drops are zero."""
    module = copy.deepcopy(graph.module)
    with torch.no_grad():
        for name, sides in channel_liveness(graph, kept).kept.items():
            conv = module.get_submodule(name)
            rows = torch.zeros(conv.out_channels, dtype=conv.weight.dtype)
            rows[list(sides.outputs)] = 1
            conv.weight.mul_(rows.view(-1, 1, 1, 1))
            if conv.bias is not None:
                conv.bias.mul_(rows)
            if conv.groups == 1:
                columns = torch.zeros(conv.in_channels, dtype=conv.weight.dtype)
                columns[list(sides.inputs)] = 1
                conv.weight.mul_(columns.view(1, -1, 1, 1))
    return module


@pytest.mark.parametrize("name", BUILD)
def test_fresh_gates_change_nothing(name):
    gated, dense = gated_of(name, torch.float32), traced(name, torch.float32).module
    lr = picture(torch.float32)
    with torch.no_grad():
        expected = dense(lr)
        assert expected.std() > 1e-3
        assert torch.equal(gated(lr), expected)
        assert torch.equal(deploy(gated)(lr), expected)


@pytest.mark.parametrize("name", BUILD)
def test_folded_gates_are_plain_convolutions_of_the_same_function(name):
    gated, lr = moved(gated_of(name)), picture()
    graph = copy.deepcopy(traced(name).module)
    with torch.no_grad():
        expected = gated(lr)
        assert difference(expected, graph(lr)) > 1e-3, "the gates are no part of what is computed"
        plain = deploy(gated)
        assert difference(plain(lr), expected) < 1e-12
    assert not [name for name in plain.state_dict() if "gate" in name or "mask" in name]


def test_folding_writes_into_the_graph_that_surgery_works_on():
    for name in ("hcsrn", "searched"):
        graph = trace(BUILD[name]())
        graph.module.double()
        scatter(graph.module, 5)
        gated = moved(Gated(graph, gate_sites(graph)).double()).eval()
        before = graph.module(picture())
        with torch.no_grad():
            gated.folded_into(graph)
            assert difference(graph.module(picture()), gated(picture())) < 1e-12
            assert difference(before, gated(picture())) > 1e-3


def check_masks(name: str, seed: int, dtype: torch.dtype, tolerance: float) -> None:
    """Check that masks, zeros in the dense network, and the smaller network are one function."""
    graph = traced(name, dtype)
    kept = some_of(graph, seed)
    fresh = gated_of(name, dtype)
    fresh.mask(kept)
    lr = picture(dtype)
    with torch.no_grad():
        assert difference(fresh(lr), zeroed(graph, kept)(lr)) < tolerance
        ours = copy.deepcopy(graph.module)
        gated = moved(gated_of(name, dtype))
        gated.mask(kept)
        expected = gated(lr)
        gated.folded_into(graph)
        try:
            drawn = {conv: Execution(*random.Random(seed).choices(("gather", "slice", "fold"), k=2)) for conv in kept}
            for execution in ({}, drawn):
                assert difference(slim(graph, Plan(kept, execution, {}))(lr), expected) < tolerance
        finally:
            graph.module.load_state_dict(ours.state_dict())


@pytest.mark.parametrize("name", BUILD)
@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 10**6))
def test_masks_are_zeros_and_zeros_are_cut(name, seed):
    assume(possible(traced(name), some_of(traced(name), seed)))
    check_masks(name, seed, torch.float64, 1e-10)


@pytest.mark.parametrize("name", BUILD)
def test_masks_are_zeros_in_single_precision_too(name):
    graph = traced(name, torch.float32)
    seed = next(seed for seed in range(20, 40) if possible(graph, some_of(graph, seed)))
    convs = [graph.conv(node) for node in graph.convs().values()]
    # A dot product of n terms errs by n times the unit roundoff at most; over the depth these add up.
    rounding = torch.finfo(torch.float32).eps * sum(conv.weight[0].numel() for conv in convs)
    check_masks(name, seed, torch.float32, rounding)


def test_a_later_mask_replaces_an_earlier_one():
    gated, lr = gated_of("hcsrn"), picture()
    with torch.no_grad():
        dense = gated(lr)
        gated.mask({"upconv1": Kept(tuple(range(8)), tuple(range(8)))})
        assert not torch.equal(gated(lr), dense)
        gated.mask({})
        assert torch.equal(gated(lr), dense)


def test_alive_are_the_units_with_a_channel_that_no_mask_hides():
    gated = gated_of("hcsrn")
    assert all(units.all() for units in gated.alive())
    # Unit 1 keeps one of its four sub-pixels.
    gated.mask({"upconv1": Kept(tuple(range(8)), (0, 1, 2, 3, 5, 8, 9, 10, 11)), "hr_conv": Kept((0, 1), (4,))})
    alive = {
        (site.members[0].conv, site.members[0].side): units
        for site, units in zip(gated.sites, gated.alive(), strict=True)
    }
    assert np.flatnonzero(alive["upconv1", "outputs"]).tolist() == [0, 1, 2]
    assert np.flatnonzero(alive["hr_conv", "outputs"]).tolist() == [4]
    assert np.flatnonzero(alive["upconv2", "outputs"]).tolist() == [0, 1]
    assert alive["head", "outputs"].all()


class Tiny(nn.Module):
    """Two convolutions, the second behind a shared tensor, before a tail."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.tail, self.up = nn.Conv2d(4, 48, 3, padding=1), nn.PixelShuffle(4)

    def forward(self, lr):
        x = self.head(lr)
        return self.up(self.tail(x + self.body(F.silu(x))))


def tiny(**options: float) -> Gated:
    graph = trace(Tiny())
    graph.module.double()
    scatter(graph.module, 4)
    return Gated(graph, gate_sites(graph), **options).double()


def loss_of(network: nn.Module, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    lr, hr = (torch.rand(1, 3, side, side, generator=source).double() for side in (6, 24))
    return F.mse_loss(network(lr), hr)


def scored(gated: Gated, *seeds: int) -> list[np.ndarray]:
    for seed in seeds:
        gated.zero_grad()
        loss_of(gated, seed).backward()
    return gated.scores()


def test_a_score_is_what_the_weights_of_the_channel_say():
    """|g dL/dg| of a gate at 1 is |sum W dL/dW| of the weights that it scales, and of the bias behind."""
    gated = tiny()
    gated.train_gates_alone(alone=True)
    scores = scored(gated, 0)
    plain = copy.deepcopy(gated.graph.module)
    loss_of(plain).backward()
    assert [(site.members[0].conv, site.members[0].side) for site in gated.sites] == [
        ("head", "outputs"), ("body", "inputs"), ("body", "outputs"), ("tail", "inputs"),
    ]  # fmt: skip
    for site, found in zip(gated.sites, scores, strict=True):
        conv = plain.get_submodule(site.members[0].conv)
        products = conv.weight * conv.weight.grad
        expected = products.sum((0, 2, 3) if site.members[0].side == "inputs" else (1, 2, 3))
        if site.members[0].side == "outputs":
            expected = expected + conv.bias * conv.bias.grad
        np.testing.assert_allclose(found, expected.abs().detach().numpy(), rtol=1e-10)
        assert found.min() > 0


def test_a_score_is_how_fast_the_loss_changes_while_the_gate_closes():
    gated = moved(tiny())
    gated.train_gates_alone(alone=True)
    scores, share = scored(gated, 0), 1e-5
    for (conv, side, place), found in zip(gated.places, scores, strict=True):
        gate = getattr(gated.convs()[conv], f"{side}_gate")
        for unit, number in enumerate(range(place.start, place.stop)):
            losses = []
            for sign in (1, -1):
                with torch.no_grad():
                    whole = gate[number].clone()
                    gate[number] = whole * (1 + sign * share)
                    losses.append(loss_of(gated).item())
                    gate[number] = whole
            assert abs(losses[0] - losses[1]) / (2 * share) == pytest.approx(found[unit], rel=1e-5, abs=1e-9)


def test_scores_sum_up_absolute_values_batch_by_batch():
    gated = tiny()
    gated.train_gates_alone(alone=True)
    single = []
    for seed in (0, 1, 2):
        gated.reset_scores()
        assert not any(score.any() for score in gated.scores())
        single.append([score.copy() for score in scored(gated, seed)])
    gated.reset_scores()
    for total, parts in zip(scored(gated, 0, 1, 2), zip(*single, strict=True), strict=True):
        np.testing.assert_allclose(total, sum(parts), rtol=1e-12)


def test_a_unit_of_several_channels_has_the_score_of_all_together():
    gated = gated_of("hcsrn")
    gated.train_gates_alone(alone=True)
    scores = scored(gated, 0)
    plain = copy.deepcopy(gated.graph.module)
    loss_of(plain).backward()
    number = [site.members[0].conv for site in gated.sites].index("stage1.blocks.0.coarse2")
    conv = plain.get_submodule("stage1.blocks.0.coarse2")
    of_channel = (conv.weight * conv.weight.grad).sum((1, 2, 3)) + conv.bias * conv.bias.grad
    np.testing.assert_allclose(scores[number], of_channel.view(8, 4).sum(1).abs().detach().numpy(), rtol=1e-8)


@pytest.mark.parametrize("gate_penalty", [0.0, 0.5])
def test_masked_units_score_nothing(gate_penalty):
    gated = tiny(gate_penalty=gate_penalty)
    gated.mask({"body": Kept((0, 1), (2, 3)), "tail": Kept((1, 2), tuple(range(48)))})
    gated.train_gates_alone(alone=True)
    (loss_of(gated) + gated.penalty()).backward()
    for alive, score in zip(gated.alive(), gated.scores(), strict=True):
        assert (score[alive] > 0).all()
        assert not score[~alive].any()
    assert sum(int((~alive).sum()) for alive in gated.alive()) > 4


def test_scores_are_collected_only_while_gates_train_alone():
    gated = tiny()
    assert not any(score.any() for score in scored(gated, 0))
    gated.train_gates_alone(alone=True)
    assert all(score.all() for score in scored(gated, 0))
    before = gated.scores()
    gated.train_gates_alone(alone=False)
    after = scored(gated, 1)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(parameter.requires_grad for parameter in gated.parameters())


def test_a_copy_collects_nothing_and_leaves_the_original_alone():
    gated = moved(tiny()).eval()
    gated.mask({"body": Kept((0, 1), (2, 3))})
    gated.train_gates_alone(alone=True)
    twin = copy.deepcopy(gated)
    assert not twin.training
    assert copy.deepcopy(gated.train()).training
    assert torch.equal(loss_of(twin), loss_of(gated))
    assert not any(score.any() for score in scored(twin, 0))
    assert not any(score.any() for score in gated.scores())
    before = {name: tensor.clone() for name, tensor in gated.state_dict().items()}
    with torch.no_grad():
        for tensor in twin.state_dict().values():
            tensor.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in gated.state_dict().items())
    assert twin.graph is gated.graph
    assert twin.gate_penalty == gated.gate_penalty


def test_the_penalty_is_the_sum_of_all_gates_and_pulls_each_to_zero():
    gated = moved(gated_of("hcsrn", gate_penalty=0.25))
    assert sum(gate.numel() for gate in gated.gates()) == sum(site.units for site in gated.sites)
    gated.penalty().backward()
    expected = 0.25 * sum(float(gate.detach().abs().sum()) for gate in gated.gates())
    assert gated.penalty().item() == pytest.approx(expected)
    assert all(torch.equal(gate.grad, 0.25 * gate.detach().sign()) for gate in gated.gates())
    assert {id(gate) for gate in gated.gates()} == {
        id(parameter) for name, parameter in gated.named_parameters() if name.endswith("_gate")
    }


RECIPE = Recipe(
    steps=4, batch=2, patch=8, learning_rate=1e-2, schedule="constant", warmup_steps=0,
    precision="float32", memory_format="contiguous",
)  # fmt: skip


def pairs() -> Pairs:
    source = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (12, 9, 3), generator=source, dtype=torch.uint8)]
    return Pairs(("one",), pack(lr), pack([lr[0].repeat_interleave(4, 0).repeat_interleave(4, 1)]))


def training(name: str = "hcsrn", gate_penalty: float = 1e-3) -> Gated:
    gated = gated_of(name, torch.float32, gate_penalty=gate_penalty)
    gated.train_gates_alone(alone=True)
    return gated


@pytest.mark.parametrize("name", ["hcsrn", "searched"])
def test_gates_that_train_alone_leave_every_weight_as_it_is(name):
    gated = training(name)
    before = {key: tensor.clone() for key, tensor in gated.state_dict().items()}
    assert fit(gated, RECIPE, pairs(), CPU).network is gated
    for key, tensor in gated.state_dict().items():
        if key.endswith("_gate"):
            assert not torch.equal(tensor, before[key]), key
        elif not key.endswith("_score"):
            assert torch.equal(tensor, before[key]), key
    assert all(score.any() for score in gated.scores())
    gated.train_gates_alone(alone=False)
    fit(gated, RECIPE, pairs(), CPU)
    weights = [key for key in before if key.endswith("conv.weight")]
    assert all(not torch.equal(gated.state_dict()[key], before[key]) for key in weights)


def test_a_training_with_masks_keeps_them():
    gated = training()
    gated.train_gates_alone(alone=False)
    graph = gated.graph
    kept = next(kept for kept in (some_of(graph, seed) for seed in range(100)) if possible(graph, kept))
    gated.mask(kept)
    fit(gated, RECIPE, pairs(), CPU)
    with torch.no_grad():
        plain = deploy(gated)
    for name, sides in channel_liveness(graph, kept).kept.items():
        weight = plain.get_submodule(f"network.{name}").weight
        assert set(weight.abs().sum((1, 2, 3)).nonzero().flatten().tolist()) == set(sides.outputs)
        assert set(weight.abs().sum((0, 2, 3)).nonzero().flatten().tolist()) == set(sides.inputs)


def test_timing_a_step_scores_nothing():
    gated = training()
    assert seconds_per_step(gated, RECIPE, pairs(), CPU) > 0
    assert not any(score.any() for score in gated.scores())


def test_the_state_holds_gates_masks_and_scores():
    gated = moved(training())
    gated.mask({"upconv1": Kept(tuple(range(8)), tuple(range(12)))})
    fit(gated, RECIPE, pairs(), CPU)
    twin = training()
    twin.load_state_dict(gated.state_dict())
    lr = picture(torch.float32)
    with torch.no_grad():
        assert torch.equal(gated(lr), twin(lr))
    for found, expected in ((twin.scores(), gated.scores()), (twin.alive(), gated.alive())):
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert all(score.dtype == np.float64 for score in twin.scores())


def test_scores_survive_a_training_that_is_taken_up_again(tmp_path):
    whole = training()
    fit(whole, RECIPE, pairs(), CPU)
    trainer = Trainer(training(), RECIPE, pairs(), CPU)
    for _ in range(2):
        trainer.step()
    state = tmp_path / "state"
    save_state(state, trainer)
    resumed = training()
    fit(resumed, RECIPE, pairs(), CPU, state=state)
    found, expected = resumed.state_dict(), whole.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert sum(score.sum() for score in resumed.scores()) > 0
