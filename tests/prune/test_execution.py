"""How convolutions reach their channels: every place has a choice, none changes what is computed."""

import functools
import random
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from baselines import build
from prune.costs import Costs
from prune.execution import WORTH, Choice, Chooser, Measurer, choose_execution, in_words, picker
from prune.flow import everything, flow
from prune.graph import Graph, trace
from prune.layers import Gather, Run
from prune.plan import Execution, Kept, Plan, Reach
from prune.surgery import slim

CPU = torch.device("cpu")
LR_SIZE = (16, 16)
PIXELS = 16 * 16
ALL = tuple(range(8))
Works = Sequence[Callable[[], Tensor]]


class Stream(nn.Module):
    """A stream of 8 channels to which one branch is added."""

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
        "stream": Stream,
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


def prepare_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[int], list[float]]) -> list[list[torch.Size]]:
    """Let a prepared clock time works, by how many they are; returns the shapes of what each of them made."""
    made: list[list[torch.Size]] = []

    def timed(works: Works, _device: torch.device) -> list[float]:
        made.append([work().shape for work in works])
        return clock(len(works))

    monkeypatch.setattr("prune.execution.best_ms", timed)
    return made


def rising(count: int) -> list[float]:
    return [1.0 + number for number in range(count)]


def falling(count: int) -> list[float]:
    return rising(count)[::-1]


def measurer(memory_format: str = "contiguous") -> Measurer:
    return Measurer(CPU, "float32", memory_format)


def drawn_plan(graph: Graph, seed: int) -> Plan:
    """Draw at least three channels of either side of every convolution, in normal form."""
    rng = random.Random(seed)
    kept = {
        name: Kept(*(tuple(sorted(rng.sample(side, max(min(3, len(side)), len(side) * 2 // 3)))) for side in sides))
        for name, sides in ((name, (full.inputs, full.outputs)) for name, full in everything(graph).items())
    }
    return Plan(dict(flow(graph, kept).kept), {}, {})


def stream_plan(reads: tuple[int, ...], writes: tuple[int, ...]) -> Plan:
    graph = traced("stream")
    return Plan({**everything(graph), "reads": Kept(reads, ALL), "writes": Kept(ALL, writes)}, {}, {})


def chosen(plan: Plan, name: str = "stream") -> tuple[Plan, list[Choice]]:
    return choose_execution(plan, Costs(traced(name), LR_SIZE), measurer())


@pytest.mark.parametrize("name", ["stream", "hcsrn", "rfdn", "bsrn"])
@pytest.mark.parametrize("clock", [rising, falling])
def test_every_place_that_meets_a_wider_tensor_has_a_choice(
    monkeypatch: pytest.MonkeyPatch, name: str, clock: Callable[[int], list[float]]
) -> None:
    prepare_clock(monkeypatch, clock)
    graph, costs = traced(name), Costs(traced(name), LR_SIZE)
    plan = drawn_plan(graph, 1)
    chooser = Chooser(costs, plan, measurer(), exact=False)
    expected = set()
    for conv, node in graph.convs().items():
        if conv in chooser.surgery.cuts and graph.steps[node].kind == "conv":
            reads, writes = chooser.surgery.cuts[conv]
            wider_in = set(chooser.surgery.layouts[graph.steps[node].operands[0]]) - set(reads)
            expected |= {(conv, "inputs")} if wider_in else set()
            expected |= {(conv, "outputs")} if set(chooser.surgery.target(node)) - set(writes) else set()
    new, choices = chooser.choose()
    assert expected
    assert {(choice.conv, choice.side) for choice in choices} == expected
    assert len(choices) == len(expected)
    for choice in choices:
        how = new.execution[choice.conv]
        assert choice.reach == (how.inputs if choice.side == "inputs" else how.outputs)
        assert choice.kept <= choice.touched <= choice.whole
        assert choice.reach in choice.ms


@pytest.mark.parametrize("name", ["stream", "hcsrn", "rfdn", "bsrn"])
@pytest.mark.parametrize("clock", [rising, falling])
def test_no_choice_changes_what_is_computed(
    monkeypatch: pytest.MonkeyPatch, name: str, clock: Callable[[int], list[float]]
) -> None:
    prepare_clock(monkeypatch, clock)
    graph = traced(name)
    for seed in range(2):
        plan = drawn_plan(graph, seed)
        new, _ = chosen(plan, name)
        assert (new.kept, new.orders) == (plan.kept, plan.orders)
        lr = torch.rand(1, 3, 24, 32, dtype=torch.float64)
        with torch.no_grad():
            expected, actual = slim(graph, plan)(lr), slim(graph, new)(lr)
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_an_exact_execution_computes_nothing_beyond_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    # The later ways are the faster ones by this clock, and the last but one computes the whole tensor.
    prepare_clock(monkeypatch, falling)
    plan, costs = stream_plan(reads=(1, 3, 4), writes=(1, 3)), Costs(traced("stream"), LR_SIZE)
    _, loose = choose_execution(plan, costs, Measurer(CPU, "float32", "contiguous"))
    _, exact = choose_execution(plan, costs, Measurer(CPU, "float32", "contiguous"), exact=True)
    assert [choice.wasted for choice in exact] == [0, 0]
    assert [(choice.conv, choice.side) for choice in exact] == [(choice.conv, choice.side) for choice in loose]
    # A run needs no copy and nothing beyond it: then a slice is exact.
    _, run = choose_execution(stream_plan(reads=(1, 2, 3), writes=(0, 1)), costs, measurer(), exact=True)
    assert {choice.reach for choice in run} == {"slice"}


def test_what_is_timed_is_the_convolution_between_both_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare_clock(monkeypatch, rising)
    chosen(stream_plan(reads=(1, 3, 4), writes=(0, 2)))
    # What reads writes all; what is added ends in the whole sum, by each of three ways.
    assert made == [[torch.Size((1, 8, *LR_SIZE))] * 3] * 2


def test_ways_that_touch_the_same_channels_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_clock(monkeypatch, falling)
    _, choices = chosen(stream_plan(reads=(2, 3, 4), writes=(0, 4, 7)))
    ways = {choice.side: set(choice.ms) for choice in choices}
    # A run is what a gather would take; a slice from the first to the last is all that there is.
    assert ways == {"inputs": {"slice", "fold"}, "outputs": {"slice", "gather"}}


@pytest.mark.parametrize(
    ("clock", "reach", "touched", "copied"),
    [
        (rising, "slice", 4, 0),
        (lambda count: [2.0, 1.0, 3.0][:count], "fold", 8, 0),
        (falling, "gather", 3, 4 * 3 * PIXELS),
    ],
)
def test_waste_and_copies_are_counted(
    monkeypatch: pytest.MonkeyPatch, clock: Callable[[int], list[float]], reach: Reach, touched: int, copied: int
) -> None:
    prepare_clock(monkeypatch, clock)
    new, choices = chosen(stream_plan(reads=(1, 3, 4), writes=(2, 3, 5)))
    assert [(choice.conv, choice.side) for choice in choices] == [("reads", "inputs"), ("writes", "outputs")]
    assert new.execution["reads"] == Execution(reach, "slice")
    assert new.execution["writes"] == Execution("slice", reach)
    for choice in choices:
        assert (choice.reach, choice.kept, choice.touched, choice.whole) == (reach, 3, touched, 8)
        assert (choice.wasted, choice.copied_bytes, choice.area) == (touched - 3, copied, PIXELS)


def test_a_plan_that_drops_nothing_offers_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare_clock(monkeypatch, rising)
    graph = traced("stream")
    new, choices = chosen(Plan(everything(graph), {}, {}))
    assert (choices, made) == ([], [])
    assert set(new.execution.values()) == {Execution("slice", "slice")}


def test_a_convolution_that_vanished_is_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_clock(monkeypatch, rising)
    new, choices = chosen(stream_plan(reads=(), writes=(1, 2)))
    assert set(new.execution) == {"head", "tail"}
    assert choices == []


def test_places_of_one_shape_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepare_clock(monkeypatch, rising)
    graph = traced("stream")
    costs, clock = Costs(graph, LR_SIZE), measurer()
    plan = stream_plan(reads=(1, 3, 4), writes=(0, 2))
    first = choose_execution(plan, costs, clock)
    assert len(made) == len(clock.known) == 2
    assert choose_execution(plan, costs, clock) == first
    assert len(made) == 2
    # Two other channels, as far apart: another run through memory.
    choose_execution(stream_plan(reads=(1, 3, 4), writes=(1, 3)), costs, clock)
    assert len(made) == 3


@pytest.mark.parametrize(
    ("times", "reach"),
    [
        ([1.0, 1.0, 1.0], "slice"),
        ([1.0 + WORTH / 2, 1.0, 1.0], "slice"),
        ([1.0 + 2 * WORTH, 1.0 + WORTH / 2, 1.0], "fold"),
        ([3.0, 2.0, 1.0], "gather"),
    ],
)
def test_the_earlier_of_equals_is_kept(monkeypatch: pytest.MonkeyPatch, times: list[float], reach: Reach) -> None:
    prepare_clock(monkeypatch, lambda _: times)
    works: dict[Reach, Callable[[], Tensor]] = {way: lambda: torch.zeros(1) for way in ("slice", "fold", "gather")}
    assert measurer().fastest(works) == (reach, dict(zip(works, times, strict=True)))


def test_the_clock_of_the_device_tells_little_work_from_much() -> None:
    little, much = torch.rand(1, 4, 16, 16), torch.rand(1, 64, 64, 64)
    works: dict[Reach, Callable[[], Tensor]] = {"slice": much.exp, "gather": little.exp}
    reach, times = measurer().fastest(works)
    assert reach == "gather"
    assert 0 < times["gather"] < times["slice"]


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_pictures_and_modules_are_as_they_will_be(memory_format: str) -> None:
    asked = Measurer(CPU, "bfloat16", memory_format)
    pictures, conv = asked.pictures(8, (6, 5)), asked.placed(nn.Conv2d(8, 8, 3))
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[memory_format]
    assert pictures.shape == (1, 8, 6, 5)
    assert isinstance(conv, nn.Conv2d)
    for tensor in (pictures, conv.weight):
        assert tensor.dtype is torch.bfloat16
        assert tensor.is_contiguous(memory_format=layout)


def test_a_picker_takes_all_a_run_or_an_index() -> None:
    have = (4, 1, 7, 3)
    x = torch.arange(4.0).view(1, 4, 1, 1)
    assert isinstance(picker(have, have), nn.Identity)
    for layout, module, expected in (((1, 7), Run, [1, 2]), ((4, 3), Gather, [0, 3]), ((7, 1), Gather, [2, 1])):
        pick = picker(have, layout)
        assert isinstance(pick, module)
        assert pick(x).flatten().tolist() == expected


def test_the_choices_in_words() -> None:
    ms: dict[Reach, float] = {"slice": 1.0}
    choices = [
        Choice("a", "inputs", "slice", ms, kept=3, touched=5, whole=8, area=100),
        Choice("b", "inputs", "gather", ms, kept=25, touched=25, whole=64, area=10000),
        Choice("b", "outputs", "gather", ms, kept=5, touched=5, whole=64, area=10000),
        Choice("c", "outputs", "fold", ms, kept=6, touched=8, whole=8, area=100),
    ]
    assert in_words(choices) == [
        "of 4 places where a convolution meets a wider tensor: 2 by gather, 1 by slice, 1 by fold",
        "4 of the 43 channels computed there are beyond the plan (they are trained too); gathers copy 1.2 MB a picture",
    ]
    assert in_words([])[0] == "of 0 places where a convolution meets a wider tensor: 0 by gather, 0 by slice, 0 by fold"
