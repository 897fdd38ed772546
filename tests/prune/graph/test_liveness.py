"""What a plan leaves, worked out by hand on networks of a few channels."""

import random

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.operators.pairwise import Sum
from prune.graph.plan import Kept
from prune.graph.tracing import Graph, trace
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build as build_searched
from sr.errors import InputError


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Tiny(nn.Module):
    """A head of 4 channels, one operator, and a tail that reads what it is told to."""

    def __init__(self, middle, width: int = 4) -> None:
        super().__init__()
        self.head, self.f, self.g = conv(3, 4), conv(4, 4), conv(4, 4)
        self.deep, self.mask = nn.Conv2d(4, 4, 3, padding=1, groups=4), conv(4, 1)
        self.wide = conv(4, 8)
        self.tail, self.up = conv(width, 48), nn.PixelShuffle(4)
        self.middle = middle

    def forward(self, lr):
        return self.up(self.tail(self.middle(self, self.head(lr))))


ALL = tuple(range(4))


def followed(middle, width: int = 4, **kept: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[Graph, ChannelLiveness]:
    graph = trace(Tiny(middle, width))
    return graph, channel_liveness(graph, {name: Kept(*sides) for name, sides in kept.items()})


def left(middle, width: int = 4, **kept: tuple[tuple[int, ...], tuple[int, ...]]) -> dict[str, Kept]:
    return dict(followed(middle, width, **kept)[1].kept)


def tail(*channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return channels, tuple(range(48))


def test_a_plan_that_drops_nothing_leaves_everything():
    graph = trace(Tiny(lambda s, x: x + s.f(x)))
    assert channel_liveness(graph, {}).kept == channel_liveness(graph, everything(graph)).kept == everything(graph)
    assert set(everything(graph)) == {"head", "f", "tail"}


def test_a_channel_that_nobody_reads_is_not_written():
    kept = left(lambda s, x: x + s.f(x), tail=tail(0, 2), f=((1,), ALL))
    assert kept["f"] == Kept((1,), (0, 2))
    # The shared tensor's channel 1 is read by f alone, channel 3 by nobody.
    assert kept["head"].outputs == (0, 1, 2)


def test_a_channel_that_nobody_writes_is_not_read():
    kept = left(lambda s, x: x + s.f(x), head=((0, 1, 2), (0, 1)), f=(ALL, (2,)))
    assert kept["f"] == Kept((0, 1), (2,))
    assert kept["tail"].inputs == (0, 1, 2)


def test_a_dead_branch_takes_its_bias_along():
    # f reads channel 3 alone, which the head does not write: nothing of it stays, though it has a bias.
    kept = left(lambda s, x: s.f(x) + s.g(x), head=((0,), (0, 1)), f=((3,), ALL), g=(ALL, (1, 2)))
    assert kept["f"] == Kept((), ())
    assert kept["tail"].inputs == (1, 2)


def test_what_leads_to_nothing_goes_all_the_way_back():
    kept = left(lambda s, x: x + s.g(F.relu(s.f(x))), g=(ALL, ()))
    assert kept["f"] == kept["g"] == Kept((), ())
    assert kept["head"] == Kept((0, 1, 2), ALL)


def test_a_concatenation_lines_its_parts_up():
    kept = left(lambda s, x: torch.cat([s.f(x), s.g(x)], 1), 8, f=(ALL, (1, 2)), g=(ALL, (0, 3)), tail=tail(0, 1, 7))
    assert (kept["f"].outputs, kept["g"].outputs, kept["tail"].inputs) == ((1,), (3,), (1, 7))


def test_halves_are_taken_apart():
    kept = left(lambda _, x: torch.cat([x[:, 2:], x[:, :2]], 1), head=((0,), (0, 3)), tail=tail(0, 1, 2))
    assert (kept["head"].outputs, kept["tail"].inputs) == ((0, 3), (1, 2))


def test_a_pixel_shuffle_lives_by_any_sub_pixel_and_needs_all():
    graph, left_over = followed(lambda s, x: F.pixel_shuffle(s.wide(x), 2), 2, wide=(ALL, (2, 4, 5)), tail=tail(0))
    assert left_over.kept["wide"].outputs == (2,)
    assert left_over.kept["tail"].inputs == (0,)
    (shuffle,) = [node for node in graph.operators if node.name == "pixel_shuffle"]
    assert left_over.forward[shuffle].tolist() == [True, True]
    assert left_over.backward[graph.convs()["wide"]].tolist() == [True] * 4 + [False] * 4


def test_a_product_lives_where_both_do():
    kept = left(lambda s, x: s.f(x) * s.g(x), f=(ALL, (0, 1, 2)), g=(ALL, (1, 2, 3)), tail=tail(0, 1, 3))
    assert kept["f"].outputs == kept["g"].outputs == kept["tail"].inputs == (1,)


def test_a_mask_of_one_channel_serves_all():
    kept = left(lambda s, x: s.f(x) * torch.sigmoid(s.mask(x)), f=((0,), (1, 2)))
    assert kept["mask"] == Kept(ALL, (0,))
    assert kept["tail"].inputs == (1, 2)


def test_a_sigmoid_makes_something_of_nothing():
    kept = left(lambda s, x: torch.sigmoid(s.f(x)), f=(ALL, (0,)))
    assert kept["f"].outputs == (0,)
    assert kept["tail"].inputs == ALL
    # Where only the filled ones are read, one that lives tells the size.
    kept = left(lambda s, x: torch.sigmoid(s.f(x)), f=(ALL, (0,)), tail=tail(2, 3))
    assert kept["f"].outputs == (0,)


def test_a_number_is_added_to_what_is_zero():
    assert left(lambda s, x: s.f(x) + 1, f=(ALL, (0,)))["tail"].inputs == ALL
    assert left(lambda s, x: s.f(x) * 2, f=(ALL, (0,)))["tail"].inputs == (0,)


def test_a_depthwise_convolution_writes_what_it_reads():
    kept = left(lambda s, x: s.deep(x), head=((0,), (0, 1, 2)), deep=((1, 2, 3), (0, 1, 2, 3)), tail=tail(0, 2))
    assert kept["deep"] == Kept((2,), (2,))
    assert kept["head"].outputs == (2,)


def test_who_reads_the_size_is_content_with_one_channel():
    def sized(s, x):
        small = s.f(x)
        return F.interpolate(s.g(x), size=(small.shape[2], small.shape[3]))

    kept = left(sized, f=(ALL, (2, 3)))
    assert kept["f"] == Kept(ALL, (2,))


def test_an_operator_without_a_rule_reads_and_writes_everything():
    kept = left(lambda s, x: s.f(x).softmax(1), f=(ALL, (0, 2)))
    assert kept["f"].outputs == (0, 2)
    assert kept["tail"].inputs == ALL


def test_what_is_stored_is_other_than_zero_and_read():
    graph, left_over = followed(lambda s, x: x + s.f(x), head=((0,), (0, 1)), f=(ALL, (1, 2)), tail=tail(1, 2, 3))
    (total,) = [node for node, operator in graph.operators.items() if isinstance(operator, Sum)]
    assert left_over.forward[total].tolist() == [True, True, True, False]
    assert left_over.backward[total].tolist() == [False, True, True, False]
    assert left_over.stored(total).tolist() == [False, True, True, False]
    assert left_over.stored(graph.convs()["head"]).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("middle", "kept", "why"),
    [
        (lambda s, x: s.f(x), {"f": ((0,), (4,))}, "f has 4 channels, but the plan keeps number 4"),
        (lambda s, x: s.f(x), {"f": ((7,), (0,))}, "f has 4 channels, but the plan keeps number 7"),
        (lambda s, x: torch.sigmoid(s.f(x)), {"f": (ALL, ())}, "nothing is left of f, which sigmoid cannot do without"),
        (lambda s, x: s.f(x).softmax(1), {"f": (ALL, ())}, "nothing is left of f"),
        (lambda _, x: x, {"head": ((), ())}, "nothing is left of up"),
    ],
)
def test_what_must_stay_is_said_in_one_line(middle, kept, why):
    with pytest.raises(InputError, match=why) as caught:
        left(middle, **kept)
    assert "\n" not in str(caught.value)


torch.manual_seed(0)
MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle"))
GRAPHS = {
    "hcsrn": trace(build("hcsrn", num_feat=8, num_block1=2, num_block2=1)),
    "rfdn": trace(build("rfdn", num_feat=8, num_block=2)),
    "bsrn": trace(build("bsrn", num_feat=8, num_block=2)),
    "searched": trace(build_searched(Architecture(8, MIXED, "two_step", "bilinear", "concat"))),
}


def some_of(graph: Graph, seed: int) -> dict[str, Kept]:
    """Return a plan in which every side of every convolution keeps a random part, at times nothing."""
    drawn = random.Random(seed)
    share = drawn.choice([0.1, 0.5, 0.9])

    def part(side: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(channel for channel in side if drawn.random() < share)

    return {name: Kept(part(full.inputs), part(full.outputs)) for name, full in everything(graph).items()}


@pytest.mark.parametrize("name", GRAPHS)
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_the_normal_form_is_its_own(name, seed):
    graph = GRAPHS[name]
    plan = some_of(graph, seed)
    try:
        first = channel_liveness(graph, plan)
    except InputError:
        return
    second = channel_liveness(graph, first.kept)
    assert second.kept == first.kept
    assert all((second.stored(node) == first.stored(node)).all() for node in graph.operators)
    for conv_name, kept in first.kept.items():
        assert set(kept.inputs) <= set(plan[conv_name].inputs)
        assert set(kept.outputs) <= set(plan[conv_name].outputs)
        assert bool(kept.inputs) == bool(kept.outputs)
