"""A slim network computes what the dense one does with the same channels silent, and is as small as it should be."""

import copy
import functools
import random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import BASELINES, build
from prune.graph.liveness import channel_liveness, everything
from prune.graph.plan import CHANNEL_ACCESSES, ChannelAccess, Execution, Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.rewrite.surgery import slim
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build as build_searched
from sr.data.pairs import Pairs, pack
from sr.errors import InputError
from sr.exporting import export_onnx
from sr.measure.complexity import Complexity, count
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

pytestmark = pytest.mark.numeric

KINDS = ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle", "residual_leaky")
SMALL = {
    "hcsrn": {"num_feat": 8, "num_block1": 2, "num_block2": 1},
    "maffsrn": {"num_feat": 8, "num_group": 1},
    "efdn": {"num_feat": 8},
    "larvanet": {"num_feat": 8, "num_block": 1},
    "larn": {"num_feat": 8},
    "idlesr": {"num_feat": 8, "num_block": 3},
    "spsr": {"num_feat": 12, "num_block": 2},
    "sam_sr_lite": {"num_block": 2},
}
SEARCHED = {
    "searched two_step": ("two_step", "bilinear", "concat"),
    "searched one_step": ("one_step", "nearest", "long_skip"),
    "searched nearest_conv": ("nearest_conv", "none", "none"),
}
NAMES = ("hcsrn", "msrresnet", "rfdn", "imdn", "pan", "bsrn", "neptuneai", "dilutnet", *SEARCHED)


def network_of(name: str) -> nn.Module:
    if name in SEARCHED:
        return build_searched(Architecture(8, tuple(Block(kind) for kind in KINDS), *SEARCHED[name]))
    return build(name, **SMALL.get(name, {"num_feat": 8, "num_block": 2}))


@functools.cache
def traced(name: str) -> Graph:
    """Trace in float64, with weights that let every channel through and biases that are not zero."""
    torch.manual_seed(0)
    graph = trace(network_of(name))
    for module in graph.module.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.2)
    graph.module.double()
    return graph


@functools.cache
def dense_counts(name: str) -> Complexity:
    return count(traced(name).module, (32, 48))


def drawn_plan(graph: Graph, seed: int, *, share: float | None = None, access: ChannelAccess | None = None) -> Plan:
    """Draw kept channels, executions and orders; at least one channel of each side where `share` is not told."""
    drawn = random.Random(seed)
    part = share if share is not None else drawn.choice([0.95, 0.8, 0.6, 0.4])

    def some(side: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(channel for channel in side if drawn.random() < part) or (drawn.choice(side),)

    full = everything(graph)
    orders = {}
    for node, step in graph.operators.items():
        if graph.components[node] not in graph.fixed and drawn.random() < 0.7:
            orders.setdefault(graph.component_name(node), tuple(drawn.sample(range(step.channels), step.channels)))
    return Plan(
        {name: Kept(some(kept.inputs), some(kept.outputs)) for name, kept in full.items()},
        {
            name: Execution(access or drawn.choice(CHANNEL_ACCESSES), access or drawn.choice(CHANNEL_ACCESSES))
            for name in full
        },
        orders,
    )


def slimmed(
    graph: Graph, seed: int, *, share: float | None = None, access: ChannelAccess | None = None
) -> tuple[Plan, nn.Module]:
    """Return a drawn plan and its network; what empties an attention's gate is refused, and drawn again."""
    for attempt in range(20):
        plan = drawn_plan(graph, seed + attempt, share=share, access=access)
        try:
            return plan, slim(graph, plan)
        except InputError:
            continue
    raise AssertionError("20 plans were refused")


def masked(graph: Graph, plan: Plan) -> nn.Module:
    """Zero what the plan drops, in the dense network.

    The plan as it was drawn, not its normal form, but for the constraint that who reads nothing writes nothing.
    """
    network, normal = copy.deepcopy(graph.module), channel_liveness(graph, plan.kept).kept
    for name, kept in plan.kept.items():
        conv = network.get_submodule(name)
        outputs = kept.outputs if conv.groups == 1 and normal[name].inputs else normal[name].outputs
        with torch.no_grad():
            if conv.groups == 1:
                conv.weight[:, [channel for channel in range(conv.in_channels) if channel not in kept.inputs]] = 0
            silent = [channel for channel in range(conv.out_channels) if channel not in outputs]
            conv.weight[silent] = 0
            if conv.bias is not None:
                conv.bias[silent] = 0
    return network


def picture(seed: int, height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def float32_rounding(network: nn.Module) -> float:
    """Return how far two float32 orders of summation may lie apart, in units of the largest value.

    A dot product of n terms errs by n times the unit roundoff at most; over the depth these add up.
    """
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return torch.finfo(torch.float32).eps * sum(conv.weight[0].numel() for conv in convs)


def assert_same(network: nn.Module, truth: nn.Module, lr: Tensor, tolerance: float) -> None:
    """Compare, with gradients and without, in units of the largest value."""
    before = lr.clone()
    with torch.no_grad():
        expected = truth(lr)
        results = [network(lr), network(lr)]
    results.append(network(lr).detach())
    assert torch.equal(lr, before)
    assert expected.shape[2:] == (4 * lr.shape[2], 4 * lr.shape[3])
    assert torch.equal(results[0], results[1])
    for result in results:
        assert (result - expected).abs().max() <= tolerance * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 2**32), height=st.integers(16, 21), width=st.integers(15, 20))
def test_slim_equals_masked(name, seed, height, width):
    graph = traced(name)
    plan, network = slimmed(graph, seed)
    truth, lr = masked(graph, plan), picture(seed, height, width)
    assert_same(network, truth, lr, 1e-10)
    assert_same(network.float(), truth.float(), lr.float(), float32_rounding(truth))


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_can_be_slimmed(name):
    graph = traced(name)
    plan, network = slimmed(graph, 1, share=0.85)
    lr = picture(0, 32, 48) if name == "safmn" else picture(0, 17, 18)
    assert_same(network, masked(graph, plan), lr, 1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("access", CHANNEL_ACCESSES)
def test_with_everything_kept_it_is_the_dense_network(name, access):
    graph = traced(name)
    full = everything(graph)
    network = slim(graph, Plan(full, {conv: Execution(access, access) for conv in full}, {}))
    lr = picture(3, 16, 17)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), graph.module(lr), rtol=1e-13, atol=1e-13)
    assert count(network, (32, 48)).params == dense_counts(name).params
    assert network.state_dict().keys() == graph.module.state_dict().keys()


@pytest.mark.parametrize("name", NAMES)
def test_gather_leaves_exactly_the_normal_form(name):
    graph = traced(name)
    plan, network = slimmed(graph, 5, share=0.75, access="gather")
    kept = channel_liveness(graph, plan.kept).kept
    there = {key: module for key, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    for conv, sides in kept.items():
        if not sides.outputs:
            assert conv not in there
        else:
            assert (there[conv].in_channels, there[conv].out_channels) == (len(sides.inputs), len(sides.outputs))
    slim_counts, dense = count(network, (32, 48)), dense_counts(name)
    assert slim_counts.params < dense.params
    assert slim_counts.activations < dense.activations
    assert slim_counts.multi_adds < dense.multi_adds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("access", ["slice", "fold"])
def test_the_other_forms_leave_no_fewer_channels(name, access):
    graph = traced(name)
    plan, network = slimmed(graph, 5, share=0.75, access=access)
    kept = channel_liveness(graph, plan.kept).kept
    for conv, sides in kept.items():
        if sides.outputs:
            module, dense = network.get_submodule(conv), graph.conv(graph.convs()[conv])
            assert len(sides.inputs) <= module.in_channels <= dense.in_channels
            assert len(sides.outputs) <= module.out_channels <= dense.out_channels


def slim_hcsrn(access: ChannelAccess | None = None) -> nn.Module:
    return slimmed(traced("hcsrn"), 2, share=0.7, access=access)[1].float()


def some_pairs() -> Pairs:
    lr = [torch.randint(0, 256, (12, 12, 3), dtype=torch.uint8)]
    return Pairs(("one",), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("access", [None, *CHANNEL_ACCESSES])
def test_it_trains(precision, access):
    network, dense = slim_hcsrn(access=access), copy.deepcopy(traced("hcsrn").module.state_dict())
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    recipe = Recipe(steps=2, batch=1, patch=8, warmup_steps=0, precision=precision, memory_format="contiguous")
    trainer = Trainer(network, recipe, some_pairs(), torch.device("cpu"))
    losses = [float(trainer.step()) for _ in range(2)]
    assert all(loss > 0 for loss in losses)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert not torch.equal(parameter, before[name]), name
    assert all(torch.equal(tensor, dense[name]) for name, tensor in traced("hcsrn").module.state_dict().items())


def test_its_copy_is_another_network_and_takes_its_state():
    network, lr = slim_hcsrn(), picture(0, 9, 11).float()
    other = copy.deepcopy(network)
    with torch.no_grad():
        truth = network(lr)
        for parameter in other.parameters():
            parameter.mul_(1.5)
        assert torch.equal(network(lr), truth)
        assert not torch.equal(other(lr), truth)
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(lr), truth)
    assert not any("index" in name for name in network.state_dict())
    assert not network.training


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Tiny(nn.Module):
    """A head of 4 channels, one operator, and a tail."""

    def __init__(self, middle, width: int = 4) -> None:
        super().__init__()
        # The names are those that fx gives to nodes: no module that is added may take them.
        self.conv, self.conv_1, self.conv_2, self.conv_3 = conv(3, 4), conv(4, 4), conv(4, 4), conv(4, 4)
        self.act, self.slopes = nn.LeakyReLU(0.1, inplace=True), nn.PReLU(4)
        self.tail, self.up = conv(width, 48), nn.PixelShuffle(4)
        self.middle = middle

    def forward(self, lr):
        return self.up(self.tail(self.middle(self, self.conv(lr))))


def overwritten_sum(s, x):
    y = s.act(x + s.conv_1(x))
    return y + x


def overwritten_cat(s, x):
    y = s.act(torch.cat([x, s.conv_1(x)], 1))
    return y + torch.cat([x, s.conv_2(x)], 1)


def read_after_it_was_overwritten(s, x):
    y = s.conv_1(x)
    y.add_(x)
    s.act(y)
    return y


def overwritten_by(operator):
    def middle(s, x):
        y = x + s.conv_1(x)
        return operator(y) + x

    return middle


GONE = ((), ())
ALL = tuple(range(4))
MIDDLES = {
    "the same term twice": (lambda s, x: x + s.conv_1(x) + x, 4, {}),
    "the same term thrice": (lambda _, x: x + x + x, 4, {}),
    "a term and a view of it": (lambda s, x: x + s.conv_1(x) + x[:, :], 4, {}),
    "an overwritten sum that became its term": (overwritten_sum, 4, {"conv_1": GONE}),
    "an overwritten part of that": (overwritten_sum, 4, {"conv_1": GONE, "conv": ((0, 1, 2), (1, 3))}),
    "an overwritten concatenation": (overwritten_cat, 8, {"conv_1": GONE, "conv_2": GONE}),
    "mul_": (overwritten_by(lambda y: y.mul_(2)), 4, {"conv_1": GONE}),
    "relu in place": (overwritten_by(lambda y: F.relu(y, inplace=True)), 4, {"conv_1": GONE}),
    "clamp_": (overwritten_by(lambda y: y.clamp_(0.1, 0.2)), 4, {"conv_1": GONE}),
    "read after it was overwritten": (read_after_it_was_overwritten, 4, {"conv_1": (ALL, (0, 1, 2))}),
    "slices of another": (lambda s, x: s.conv_1(x) + s.conv_2(x) + s.conv_3(x), 4, {"conv_1": ((0, 1), ALL)}),
    "slopes per channel": (lambda s, x: s.slopes(x + s.conv_1(x)), 4, {"conv": ((0, 2), (3, 1, 0)[::-1])}),
    "halves": (lambda s, x: torch.cat([x[:, 2:], s.conv_1(x)[:, :2]], 1), 4, {"conv_1": ((3,), (1, 2))}),
    "a difference": (lambda s, x: x - s.conv_1(x), 4, {"conv_1": (ALL, (1, 2))}),
    "a sigmoid": (lambda s, x: x * torch.sigmoid(s.conv_1(x)), 4, {"conv_1": (ALL, (0, 3))}),
    "an opaque operator": (lambda s, x: s.conv_1(x).softmax(1), 4, {"conv_1": (ALL, (0, 3))}),
}


@pytest.mark.parametrize(("middle", "width", "kept"), MIDDLES.values(), ids=MIDDLES)
@pytest.mark.parametrize("access", CHANNEL_ACCESSES)
def test_hand_made_cases(middle, width, kept, access):
    dense = Tiny(middle, width).double()
    graph = trace(copy.deepcopy(dense).float())
    graph.module.double()
    sides = everything(graph) | {name: Kept(*pair) for name, pair in kept.items()}
    plan = Plan(sides, {name: Execution(access, access) for name in sides}, {})
    # The truth runs the network itself, which overwrites as it likes.
    truth = copy.deepcopy(dense)
    truth.load_state_dict(masked(graph, plan).state_dict(), strict=False)
    assert_same(slim(graph, plan), truth, picture(1, 6, 7), 1e-12)


def slices_and_attention(s, x):
    y = s.slopes(s.conv_1(x) + s.conv_2(x) + x)
    return y * torch.sigmoid(s.conv_3(F.adaptive_avg_pool2d(y, 1)))


def test_it_is_exported(tmp_path):
    graph = trace(Tiny(slices_and_attention))
    kept = {"conv_1": Kept((0, 2), ALL), "conv_2": Kept(ALL, (1, 3)), "conv": Kept((0, 1, 2), (0, 1, 3))}
    accesses = {"conv": "gather", "conv_1": "slice", "conv_2": "fold", "tail": "gather"}
    plan = Plan(everything(graph) | kept, {name: Execution(access, access) for name, access in accesses.items()}, {})
    path = tmp_path / "slim.onnx"
    assert export_onnx(slim(graph, plan), path, sizes=((37, 53), (17, 31))) <= 1e-4
    assert path.stat().st_size > 1000


def test_what_is_overwritten_is_nobody_elses():
    graph = trace(Tiny(lambda s, x: s.act(x) + s.conv_1(x)))
    network = slim(graph, Plan(everything(graph), {}, {}))
    assert network.get_submodule("act").inplace
    graph = trace(Tiny(overwritten_sum))
    network = slim(graph, Plan(everything(graph) | {"conv_1": Kept((), ())}, {}, {}))
    assert not network.get_submodule("act").inplace
    assert graph.module.get_submodule("act").inplace


def size_of_nothing(s, x):
    gone = s.conv_1(x)
    return F.interpolate(x, size=(gone.shape[2], gone.shape[3]))


@pytest.mark.parametrize(
    ("middle", "why"),
    [
        (size_of_nothing, "nothing is left of the tensor whose size"),
        (lambda s, x: x - s.conv_1(x), "nothing is left of conv_1, which is read for its channels"),
        (lambda s, x: s.conv_1(x).softmax(1), "nothing is left of conv_1"),
    ],
)
def test_what_must_not_be_empty_is_said_in_one_line(middle, why):
    graph = trace(Tiny(middle))
    with pytest.raises(InputError, match=why) as caught:
        slim(graph, Plan(everything(graph) | {"conv_1": Kept((), ())}, {}, {}))
    assert "\n" not in str(caught.value)


def test_an_order_is_the_order_of_the_slim_tensors():
    graph = trace(Tiny(lambda s, x: x + s.conv_1(x)))
    network = slim(graph, Plan(everything(graph), {}, {"conv": (2, 0, 3, 1)}))
    old, new = graph.module.get_submodule("conv"), network.get_submodule("conv")
    assert torch.equal(new.weight, old.weight[[2, 0, 3, 1]])
    assert torch.equal(network.get_submodule("tail").weight, graph.module.get_submodule("tail").weight[:, [2, 0, 3, 1]])
