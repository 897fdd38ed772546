"""Pruned networks on disk: they load to the same function, open to their dense form, and can be pruned again."""

import functools
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import build
from prune.graph.liveness import channel_liveness, everything
from prune.graph.plan import CHANNEL_ACCESSES, Execution, Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.network import FAMILY, build_family, describe, opened, spread
from prune.rewrite.surgery import Surgery, slim
from search_spaces.architecture import Architecture, Block
from sr.checkpoint import Checkpoint, Description, load, load_network, save
from sr.errors import InputError

pytestmark = pytest.mark.numeric

MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle", "residual_leaky"))
DENSE = {
    "hcsrn": Description("baseline", {"name": "hcsrn", "num_feat": 8, "num_block1": 2, "num_block2": 1}),
    "rfdn": Description("baseline", {"name": "rfdn", "num_feat": 8, "num_block": 2}),
    "ecbsr": Description("baseline", {"name": "ecbsr", "num_feat": 8, "branched": True}),
    "efdn": Description("baseline", {"name": "efdn", "num_feat": 8}),
    "searched": Description("searched", Architecture(8, MIXED, "two_step", "bilinear", "concat").to_json()),
}
# Removes what only trains, and runs a checkpoint.
ALONE = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("prune.scoring.gates", "prune.scoring.gate_decorator", "sr.training.fit"):
            raise ImportError(f"{name} is absent")

sys.meta_path.insert(0, Absent())
import torch
from sr.checkpoint import load_network

lr = torch.load(sys.argv[2], weights_only=True)
with torch.no_grad():
    torch.save(load_network(Path(sys.argv[1]))(lr), sys.argv[3])
"""


def scatter(module: nn.Module, seed: int) -> None:
    """Give all weights, slopes among them, values of their own, so large that every branch is seen in the picture."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 10
            parameter.copy_(torch.randn(parameter.shape, generator=source) / fan_in**0.5)


def traced(name: str, seed: int = 1) -> Graph:
    graph = trace(DENSE[name].build())
    scatter(graph.module, seed)
    return graph


@functools.cache
def graph_of(name: str) -> Graph:
    """Return the graph that tests share."""
    return traced(name)


def less(kept: dict[str, Kept], seed: int, share: float) -> dict[str, Kept]:
    """Return a plan that keeps a random part of what another keeps."""
    drawn = random.Random(seed)

    def part(side: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(channel for channel in side if drawn.random() < share)

    return {name: Kept(part(sides.inputs), part(sides.outputs)) for name, sides in kept.items()}


def possible(graph: Graph, kept: dict[str, Kept]) -> bool:
    try:
        return bool(channel_liveness(graph, kept))
    except InputError:
        return False


def orders_of(graph: Graph, seed: int) -> dict[str, tuple[int, ...]]:
    """Return another order of the channels for every tensor that may have one."""
    drawn = random.Random(seed)
    found = {}
    for node, number in graph.components.items():
        name, channels = graph.component_name(node), graph.operators[node].channels
        if number not in graph.fixed and name not in found:
            found[name] = tuple(drawn.sample(range(channels), channels))
    return found


def plan_of(graph: Graph, seed: int, share: float = 0.8, *, permuted: bool = False) -> Plan | None:
    kept = less(everything(graph), seed, share)
    if not possible(graph, kept):
        return None
    drawn = random.Random(seed)
    execution = {name: Execution(drawn.choice(CHANNEL_ACCESSES), drawn.choice(CHANNEL_ACCESSES)) for name in kept}
    return Plan(dict(channel_liveness(graph, kept).kept), execution, orders_of(graph, seed) if permuted else {})


def some_plan(graph: Graph, *, permuted: bool = False, share: float = 0.8) -> Plan:
    plans = (plan_of(graph, seed, share, permuted=permuted) for seed in range(100))
    return next(plan for plan in plans if plan is not None)


def picture(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(3)).to(dtype)


def difference(one: nn.Module, other: nn.Module) -> float:
    """Return the largest difference of two networks in double precision, as a share of the second's largest value."""
    with torch.no_grad():
        found, expected = one.double()(picture(torch.float64)), other.double()(picture(torch.float64))
    assert float(expected.std()) > 1e-3
    return float((found - expected).abs().max() / expected.abs().max())


def trained(network: nn.Module, seed: int = 7) -> nn.Module:
    """Move every value that the loss depends on, so also weights between kept channels, which surgery made zero."""
    source = torch.Generator().manual_seed(seed)
    parameters = list(network.parameters())
    if not parameters:  # nothing but the image skip is left
        return network
    gradients = torch.autograd.grad(network(picture()).square().sum(), parameters, allow_unused=True)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                noise = torch.randn(parameter.shape, generator=source) / max(1, parameter[0].numel()) ** 0.5
                parameter.add_(torch.where(gradient != 0, noise, 0.0))
    return network


def checkpoint_of(name: str, plan: Plan, network: nn.Module) -> Checkpoint:
    return Checkpoint(describe(DENSE[name], plan), network.state_dict())


@pytest.mark.parametrize("name", DENSE)
def test_a_pruned_network_loads_to_the_same_function(name, tmp_path):
    plan = some_plan(graph_of(name))
    network = slim(graph_of(name), plan)
    path = tmp_path / "slim.pth"
    save(path, checkpoint_of(name, plan, network))
    assert load(path).description.family == FAMILY
    loaded = load_network(path)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(picture()), network(picture()))
    dense = sum(parameter.numel() for parameter in graph_of(name).module.parameters())
    assert sum(parameter.numel() for parameter in loaded.parameters()) < dense


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("upsampler", ["one_step", "two_step"])
def test_a_pruned_network_has_the_scale_of_the_dense_one(upsampler: str, scale: int, tmp_path: Path) -> None:
    dense = Description("searched", Architecture(8, MIXED[:2], upsampler, scale=scale).to_json())
    graph = trace(dense.build())
    scatter(graph.module, 1)
    plan = some_plan(graph)
    network = slim(graph, plan)
    path = tmp_path / "slim.pth"
    save(path, Checkpoint(describe(dense, plan), network.state_dict()))
    assert load(path).description.scale == scale
    with torch.no_grad():
        sr = load_network(path)(picture())
        assert sr.shape == (1, 3, 16 * scale, 20 * scale)
        assert torch.equal(sr, network(picture()))
    opened_again, _, _ = opened(load(path))
    assert opened_again == dense


def test_the_description_is_plain_values_that_no_later_change_reaches():
    config = {"name": "hcsrn", "num_feat": 8}
    described = describe(Description("baseline", config), Plan({"head": Kept((0, 1, 2), (1, 3))}, {}, {}))
    config["num_feat"] = 16
    assert described == Description(
        "pruned",
        {
            "of": {"family": "baseline", "config": {"name": "hcsrn", "num_feat": 8}},
            "plan": {"kept": {"head": [[0, 1, 2], [1, 3]]}, "execution": {}, "orders": {}},
        },
    )


def test_loading_needs_none_of_the_code_that_prunes(tmp_path):
    plan = some_plan(graph_of("hcsrn"), permuted=True)
    network = slim(graph_of("hcsrn"), plan)
    paths = [tmp_path / name for name in ("slim.pth", "lr", "sr")]
    save(paths[0], checkpoint_of("hcsrn", plan, network))
    torch.save(picture(), paths[1])
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, paths)], check=True, cwd=root, timeout=60)
    with torch.no_grad():
        expected = network(picture())
    # A dot product of n terms errs by n times the unit roundoff at most; over the depth these add up.
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    rounding = torch.finfo(torch.float32).eps * sum(conv.weight[0].numel() for conv in convs)
    found = torch.load(paths[2], weights_only=True)
    assert (found - expected).abs().max() <= rounding * expected.abs().max()


def check_opened(name: str, plan: Plan) -> None:
    """Check that a pruned network with weights of its own comes back in its dense form."""
    network = trained(slim(graph_of(name), plan))
    dense, graph, kept = opened(checkpoint_of(name, plan, network))
    assert dense == DENSE[name]
    assert difference(graph.module, network) < 1e-10
    # What it keeps says the same as its zeros.
    assert difference(slim(graph, Plan(kept, {}, {})), network) < 1e-10
    for conv, sides in channel_liveness(graph, plan.kept).kept.items():
        if f"{conv}.weight" not in network.state_dict():
            assert kept[conv] == Kept((), ())
            continue
        assert {*sides.inputs} <= {*kept[conv].inputs}
        assert {*sides.outputs} <= {*kept[conv].outputs}


@pytest.mark.parametrize("name", ["hcsrn", "rfdn", "searched"])
@pytest.mark.parametrize("permuted", [False, True])
@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.7, 0.9, 1.0]))
def test_a_pruned_network_opens_to_its_dense_form(name, permuted, seed, share):
    plan = plan_of(graph_of(name), seed, share, permuted=permuted)
    assume(plan is not None)
    check_opened(name, plan)


def test_a_convolution_that_was_left_out_at_last_opens_to_zeros():
    graph = graph_of("hcsrn")
    plan = plan_of(graph, 0, 0.5)
    assert plan is not None
    surgery = Surgery(graph, plan)
    left = {name.removesuffix(".weight") for name in surgery.operate().state_dict()}
    assert set(surgery.conv_layouts) - left, "this plan cuts no convolution of which the size alone is read"
    check_opened("hcsrn", plan)


@pytest.mark.parametrize("name", ["ecbsr", "efdn"])
@pytest.mark.parametrize("share", [0.8, 1.0])
@pytest.mark.parametrize("permuted", [False, True])
def test_a_slope_per_channel_comes_back_to_its_channel(name, share, permuted):
    plan = some_plan(graph_of(name), permuted=permuted, share=share)
    assert any(isinstance(module, nn.PReLU) for module in graph_of(name).module.modules())
    check_opened(name, plan)


@pytest.mark.parametrize("how", CHANNEL_ACCESSES)
def test_what_is_kept_after_opening_is_what_was_computed(how):
    graph = graph_of("hcsrn")
    sides = Kept(tuple(range(8)), (1, 2, 6))
    block = "stage1.blocks.0"
    plan = Plan({f"{block}.row_a": sides}, {f"{block}.row_a": Execution("slice", how)}, {})
    network = slim(graph, plan)
    _, _, kept = opened(checkpoint_of("hcsrn", plan, network))
    computed = {"gather": (1, 2, 6), "slice": (1, 2, 3, 4, 5, 6), "fold": tuple(range(8))}
    assert kept[f"{block}.row_a"] == Kept(tuple(range(8)), computed[how])


@pytest.mark.parametrize("name", ["hcsrn", "rfdn", "ecbsr", "searched"])
def test_a_pruned_network_can_be_pruned_again(name, tmp_path):
    first = some_plan(graph_of(name), permuted=True, share=0.9)
    network = trained(slim(graph_of(name), first))
    dense, graph, kept = opened(checkpoint_of(name, first, network))
    fewer = next(fewer for fewer in (less(kept, seed, 0.9) for seed in range(100)) if possible(graph, fewer))
    second = Plan(dict(channel_liveness(graph, fewer).kept), {}, orders_of(graph, 5))
    again = slim(graph, second)
    path = tmp_path / "again.pth"
    save(path, Checkpoint(describe(dense, second), again.state_dict()))
    sizes = [sum(parameter.numel() for parameter in each.parameters()) for each in (again, network)]
    assert sizes[0] < sizes[1]
    loaded = load_network(path)
    with torch.no_grad():
        assert torch.equal(loaded(picture()), again(picture()))
    assert difference(loaded, network) > 1e-6
    # Opened once more, it is what was made of it.
    assert difference(opened(load(path))[1].module, again) < 1e-10


def test_a_dense_network_opens_as_it_is():
    network = DENSE["rfdn"].build()
    scatter(network, 3)
    description, graph, kept = opened(Checkpoint(DENSE["rfdn"], network.state_dict()))
    assert description == DENSE["rfdn"]
    assert kept == everything(graph)
    assert difference(graph.module, network.eval()) < 1e-10


def test_a_tensor_without_a_place_is_refused():
    graph = traced("hcsrn")
    network = slim(graph, Plan({}, {}, {}))
    network.register_buffer("stray", torch.zeros(1))
    with pytest.raises(InputError, match="stray has no place in the dense network"):
        spread(graph, Plan({}, {}, {}), network)


def config(**changes: Any) -> dict[str, Any]:
    of = {"family": DENSE["hcsrn"].family, "config": dict(DENSE["hcsrn"].config)}
    return {"of": of, "plan": Plan({}, {}, {}).to_json(), **changes}


def plan(**changes: Any) -> dict[str, Any]:
    return {"plan": Plan({}, {}, {}).to_json() | changes}


RFDN = {"of": {"family": "baseline", "config": {"name": "rfdn", "num_block": 1}}}
PRUNED = {"family": "pruned", "config": {}}
WRONG = [
    ({"of": {"family": "baseline"}}, "config has `of` with a family and a config"),
    ({"of": None}, "config has `of` with a family and a config"),
    ({"plan": {"kept": {}}}, "config has `of` with a family and a config, and a `plan`"),
    (plan(kept=[]), "and a `plan` with lists of channels"),
    (plan(kept={"head": 3}), "and a `plan` with lists of channels"),
    ({"of": PRUNED}, "described by the dense network that it comes from"),
    ({"of": {"family": "nobody", "config": {}}}, "the family of a network is one of"),
    ({"of": {"family": "baseline", "config": {"name": "nobody"}}}, "a baseline is one of"),
    (plan(kept={"conv_first": [[0], [0]]}), "this one has no 'conv_first'"),
    (plan(execution={"blocks.0.c1_d": ["slice", "slice"]}), "this one has no 'blocks.0.c1_d'"),
    (plan(execution={"head": ["leap", "slice"]}), "gather, slice, fold, got 'leap'"),
    (plan(kept={"head": [[0, 1, 3], [0]]}), "head has 3 channels, but the plan keeps number 3"),
    (plan(kept={"head": [[0], [8]]}), "head has 8 channels, but the plan keeps number 8"),
    (plan(kept={"head": [[0], [-1]]}), "ascending and at least 0"),
    (plan(kept={"head": [[0], [2, 1]]}), "ascending and at least 0"),
    (plan(kept={"head": [[0], [0.5]]}), "whole numbers, got 0.5 for head"),
    (RFDN | plan(kept={"upsampler.0": [[], []]}), "nothing is left of truediv"),
    (plan(orders={"head": [0, 1]}), "head must have each of its 8 channels once"),
    (plan(orders={"head": [0, 0, 1, 2, 3, 4, 5, 6]}), "head must have each of its 8 channels once"),
    (plan(orders={"elsewhere": [0]}), "elsewhere must have a tensor that there is"),
]


@pytest.mark.parametrize(("changes", "why"), WRONG)
def test_a_wrong_config_is_refused_in_one_line(changes, why):
    with pytest.raises(InputError, match=why) as caught:
        Description(FAMILY, config(**changes)).build()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("missing", ["of", "plan"])
def test_a_missing_key_is_named(missing):
    content = config()
    del content[missing]
    with pytest.raises(InputError, match=r"this is no pruned network: .* got the keys") as caught:
        Description(FAMILY, content).build()
    assert "\n" not in str(caught.value)


def test_the_right_config_builds():
    network = build_family(config())
    reference = build("hcsrn", num_feat=8, num_block1=2, num_block2=1)
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == {
        name: tensor.shape for name, tensor in reference.state_dict().items()
    }


def test_tensors_of_another_plan_are_refused_in_one_line(tmp_path):
    network = slim(graph_of("hcsrn"), some_plan(graph_of("hcsrn")))
    path = tmp_path / "mixed.pth"
    save(path, checkpoint_of("hcsrn", Plan({}, {}, {}), network))
    with pytest.raises(InputError, match="tensors are not those of its description") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
