"""How convolutions get at their channels: every place has a choice, none changes what is computed."""

import functools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from baselines import build
from prune.graph.liveness import channel_liveness, everything
from prune.graph.operators.convolutions import Conv
from prune.graph.plan import ChannelAccess, Execution, Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.rewrite.execution import WORTH, Choice, Measurer, choose_execution, describe, picker
from prune.rewrite.layers import ContiguousSlice, Gather
from prune.rewrite.surgery import Surgery, slim
from prune.selection.costs import Costs
from sr.measure.target import Target

CPU = torch.device("cpu")
LR_SIZE = (16, 16)
PIXELS = 16 * 16
ALL = tuple(range(8))
Works = Sequence[Callable[[], object]]


class Branched(nn.Module):
    """A tensor of 8 channels to which one branch is added."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1)
        self.reads, self.writes = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.act, self.shuffle = nn.ReLU(), nn.PixelShuffle(4)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.head(lr)
        return self.shuffle(self.tail(x + self.writes(self.act(self.reads(x)))))


@functools.cache
def traced(name: str) -> Graph:
    torch.manual_seed(0)
    small: dict[str, Callable[[], nn.Module]] = {
        "branched": Branched,
        "hcsrn": lambda: build("hcsrn", num_feat=8, num_block1=1, num_block2=1),
        "rfdn": lambda: build("rfdn", num_feat=8),
        "bsrn": lambda: build("bsrn", num_feat=8, num_block=2),
    }
    graph = trace(small[name]())
    for module in graph.module.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    graph.module.double()
    return graph


Prepared = Callable[[int], list[float]]


@dataclass(frozen=True)
class Clock:
    """Times works by how many they are, and notes what each of them multiplies."""

    prepared: Prepared
    made: list[list[int]] = field(default_factory=list)

    def __call__(self, works: Works, device: torch.device) -> list[float]:
        assert device == CPU
        self.made.append([])
        for work in works:
            with FlopCounterMode(display=False) as counter:
                work()
            self.made[-1].append(counter.get_total_flops() // 2)
        return self.prepared(len(works))


def rising(count: int) -> list[float]:
    return [1.0 + number for number in range(count)]


def falling(count: int) -> list[float]:
    return rising(count)[::-1]


def measurer(prepared: Prepared | Clock = rising) -> Measurer:
    clock = prepared if isinstance(prepared, Clock) else Clock(prepared)
    return Measurer(Target(CPU, LR_SIZE), "contiguous", clock)


def drawn_plan(graph: Graph, seed: int) -> Plan:
    """Draw at least three channels of either side of every convolution, in normal form."""
    rng = random.Random(seed)
    kept = {
        name: Kept(*(tuple(sorted(rng.sample(side, max(min(3, len(side)), len(side) * 2 // 3)))) for side in sides))
        for name, sides in ((name, (full.inputs, full.outputs)) for name, full in everything(graph).items())
    }
    return Plan(dict(channel_liveness(graph, kept).kept), {}, {})


def branched_plan(reads: tuple[int, ...], writes: tuple[int, ...]) -> Plan:
    graph = traced("branched")
    return Plan({**everything(graph), "reads": Kept(reads, ALL), "writes": Kept(ALL, writes)}, {}, {})


def chosen(plan: Plan, prepared: Prepared | Clock = rising, name: str = "branched") -> tuple[Plan, list[Choice]]:
    return choose_execution(plan, Costs(traced(name), LR_SIZE), measurer(prepared))


@pytest.mark.parametrize("name", ["branched", "hcsrn", "rfdn", "bsrn"])
@pytest.mark.parametrize("prepared", [rising, falling])
def test_every_place_that_meets_a_wider_tensor_has_a_choice(name: str, prepared: Prepared) -> None:
    graph = traced(name)
    plan = drawn_plan(graph, 1)
    surgery = Surgery(graph, replace(plan, execution=dict.fromkeys(plan.kept, Execution("gather", "gather"))))
    surgery.operate()
    expected = set()
    for conv, node in graph.convs().items():
        if conv in surgery.conv_layouts and isinstance(graph.operators[node], Conv):
            reads, writes = surgery.conv_layouts[conv]
            wider_in = set(surgery.layouts[graph.operators[node].operands[0]]) - set(reads)
            expected |= {(conv, "inputs")} if wider_in else set()
            expected |= {(conv, "outputs")} if set(surgery.target(node)) - set(writes) else set()
    new, choices = chosen(plan, prepared, name)
    assert expected
    assert {(choice.conv, choice.side) for choice in choices} == expected
    assert len(choices) == len(expected)
    for choice in choices:
        how = new.execution[choice.conv]
        assert choice.access == (how.inputs if choice.side == "inputs" else how.outputs)
        assert choice.kept <= choice.touched <= choice.whole
        assert choice.access in choice.ms


@pytest.mark.numeric
@pytest.mark.parametrize("name", ["branched", "hcsrn", "rfdn", "bsrn"])
@pytest.mark.parametrize("prepared", [rising, falling])
def test_no_choice_changes_what_is_computed(name: str, prepared: Prepared) -> None:
    graph = traced(name)
    for seed in range(2):
        plan = drawn_plan(graph, seed)
        new, _ = chosen(plan, prepared, name)
        assert (new.kept, new.orders) == (plan.kept, plan.orders)
        lr = torch.rand(1, 3, 24, 32, dtype=torch.float64)
        with torch.no_grad():
            expected, actual = slim(graph, plan)(lr), slim(graph, new)(lr)
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_an_exact_execution_computes_nothing_beyond_the_plan() -> None:
    # The later accesses are the faster ones by this clock, and the last but one computes the whole tensor.
    plan, costs = branched_plan(reads=(1, 3, 4), writes=(1, 3)), Costs(traced("branched"), LR_SIZE)
    _, loose = choose_execution(plan, costs, measurer(falling))
    _, exact = choose_execution(plan, costs, measurer(falling), exact=True)
    assert [choice.wasted for choice in exact] == [0, 0]
    assert [(choice.conv, choice.side) for choice in exact] == [(choice.conv, choice.side) for choice in loose]
    # A contiguous slice needs no copy and nothing beyond it: then a slice is exact.
    _, contiguous = choose_execution(branched_plan(reads=(1, 2, 3), writes=(0, 1)), costs, measurer(), exact=True)
    assert {choice.access for choice in contiguous} == {"slice"}


def test_what_is_timed_is_the_convolution_between_both_tensors() -> None:
    clock = Clock(rising)
    chosen(branched_plan(reads=(1, 3, 4), writes=(0, 2)), clock)
    # By a slice of channels 1 to 4, the whole tensor, exactly three; and by 0 to 2, the whole, exactly two. Around them
    # are 1x1 convolutions from and to three channels.
    frame = [3 * 8 + 8 * 3, 3 * 8 + 3 * 8 + 8 * 3]
    expected = [[count * 8 * 9 + frame[0] for count in (4, 8, 3)], [count * 8 * 9 + frame[1] for count in (3, 8, 2)]]
    assert clock.made == [[PIXELS * each for each in side] for side in expected]


def test_accesses_that_touch_the_same_channels_are_one() -> None:
    _, choices = chosen(branched_plan(reads=(2, 3, 4), writes=(0, 4, 7)), falling)
    accesses = {choice.side: set(choice.ms) for choice in choices}
    # A contiguous slice is what a gather would take; a slice from the first to the last is all that there is.
    assert accesses == {"inputs": {"slice", "fold"}, "outputs": {"slice", "gather"}}


@pytest.mark.parametrize(
    ("prepared", "access", "touched", "copied"),
    [
        (rising, "slice", 4, 0),
        (lambda count: [2.0, 1.0, 3.0][:count], "fold", 8, 0),
        (falling, "gather", 3, 4 * 3 * PIXELS),
    ],
)
def test_waste_and_copies_are_counted(prepared: Prepared, access: ChannelAccess, touched: int, copied: int) -> None:
    new, choices = chosen(branched_plan(reads=(1, 3, 4), writes=(2, 3, 5)), prepared)
    assert [(choice.conv, choice.side) for choice in choices] == [("reads", "inputs"), ("writes", "outputs")]
    assert new.execution["reads"] == Execution(access, "slice")
    assert new.execution["writes"] == Execution("slice", access)
    for choice in choices:
        assert (choice.access, choice.kept, choice.touched, choice.whole) == (access, 3, touched, 8)
        assert (choice.wasted, choice.copied_bytes, choice.area) == (touched - 3, copied, PIXELS)


def test_a_plan_that_drops_nothing_offers_no_choice() -> None:
    clock = Clock(rising)
    new, choices = chosen(Plan(everything(traced("branched")), {}, {}), clock)
    assert (choices, clock.made) == ([], [])
    assert set(new.execution.values()) == {Execution("slice", "slice")}


def test_a_convolution_that_vanished_is_not_executed() -> None:
    new, choices = chosen(branched_plan(reads=(), writes=(1, 2)))
    assert set(new.execution) == {"head", "tail"}
    assert choices == []


def test_places_of_one_shape_are_measured_once() -> None:
    clock = Clock(rising)
    costs, known = Costs(traced("branched"), LR_SIZE), measurer(clock)
    plan = branched_plan(reads=(1, 3, 4), writes=(0, 2))
    first = choose_execution(plan, costs, known)
    assert len(clock.made) == len(known.known) == 2
    assert choose_execution(plan, costs, known) == first
    assert len(clock.made) == 2
    # Two other channels, as far apart: another path through memory.
    choose_execution(branched_plan(reads=(1, 3, 4), writes=(1, 3)), costs, known)
    assert len(clock.made) == 3


@pytest.mark.parametrize(
    ("times", "access"),
    [
        ([1.0, 1.0, 1.0], "slice"),
        ([1.0 + WORTH / 2, 1.0, 1.0], "slice"),
        ([1.0 + 2 * WORTH, 1.0 + WORTH / 2, 1.0], "fold"),
        ([3.0, 2.0, 1.0], "gather"),
    ],
)
def test_the_earlier_of_equals_is_kept(times: list[float], access: ChannelAccess) -> None:
    accesses: tuple[ChannelAccess, ...] = ("slice", "fold", "gather")
    works = {each: lambda: torch.zeros(1) for each in accesses}
    assert measurer(lambda _: times).fastest(works) == (access, dict(zip(works, times, strict=True)))


def test_the_clock_of_the_device_times_every_work() -> None:
    little, much = torch.rand(1, 4, 16, 16), torch.rand(1, 64, 64, 64)
    works: dict[ChannelAccess, Callable[[], object]] = {"slice": much.exp, "gather": little.exp}
    access, times = Measurer(Target(CPU, LR_SIZE), "contiguous").fastest(works)
    assert list(times) == ["slice", "gather"]
    assert 0 < times[access] <= min(times.values()) * (1 + WORTH)


def test_json_gives_a_choice_back_under_the_names_of_earlier_files() -> None:
    choice = Choice("a", "inputs", "slice", {"slice": 1.0}, kept=3, touched=5, whole=8, area=100)
    values = json.loads(json.dumps(choice.to_json()))
    assert values["reach"] == "slice"
    assert Choice.from_json(values) == choice


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_accesses_are_timed_in_the_engine_asked_for(engine: str) -> None:
    timer = Measurer(Target(CPU, LR_SIZE, engine=engine), "contiguous")
    plan = branched_plan(reads=(1, 3, 4), writes=(0, 2))
    new, choices = choose_execution(plan, Costs(traced("branched"), LR_SIZE), timer)
    assert [set(choice.ms) for choice in choices] == [{"slice", "fold", "gather"}] * 2
    assert all(ms > 0 for choice in choices for ms in choice.ms.values())
    assert new.execution["reads"].inputs == choices[0].access


def test_a_picker_takes_all_a_contiguous_slice_or_an_index() -> None:
    have = (4, 1, 7, 3)
    x = torch.arange(4.0).view(1, 4, 1, 1)
    assert isinstance(picker(have, have), nn.Identity)
    for layout, module, expected in (
        ((1, 7), ContiguousSlice, [1, 2]),
        ((4, 3), Gather, [0, 3]),
        ((7, 1), Gather, [2, 1]),
    ):
        pick = picker(have, layout)
        assert isinstance(pick, module)
        assert pick(x).flatten().tolist() == expected


def test_choices_are_described() -> None:
    ms: dict[ChannelAccess, float] = {"slice": 1.0}
    choices = [
        Choice("a", "inputs", "slice", ms, kept=3, touched=5, whole=8, area=100),
        Choice("b", "inputs", "gather", ms, kept=25, touched=25, whole=64, area=10000),
        Choice("b", "outputs", "gather", ms, kept=5, touched=5, whole=64, area=10000),
        Choice("c", "outputs", "fold", ms, kept=6, touched=8, whole=8, area=100),
    ]
    assert describe(choices) == [
        "of 4 places where a convolution meets a wider tensor: 2 by gather, 1 by slice, 1 by fold",
        "4 of the 43 channels computed there are beyond the plan (they are trained too); gathers copy 1.2 MB a picture",
    ]
    assert describe([])[0] == "of 0 places where a convolution meets a wider tensor: 0 by gather, 0 by slice, 0 by fold"
