"""The modules that move channels compute what they say, with gradients or without, and overwrite only what they may."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from prune.rewrite.layers import Accumulate, ContiguousSlice, Gather, Spread, as_slice

pytestmark = pytest.mark.numeric

CHANNELS = 6
PLACES = {
    "whole": (0, 1, 2, 3, 4, 5),
    "permuted": (5, 0, 1, 4, 3, 2),
    "first": (0, 1),
    "inner": (2, 3, 4),
    "last": (5,),
    "scattered": (0, 2, 5),
    "backward": (4, 1),
}

places = st.lists(
    st.permutations(range(CHANNELS)).flatmap(lambda order: st.integers(1, CHANNELS).map(lambda n: tuple(order[:n]))),
    min_size=1,
    max_size=4,
)
each_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)


def terms_for(chosen: list[tuple[int, ...]], *, needs_grad: bool = False) -> list[Tensor]:
    return [torch.rand(2, len(place), 3, 4, dtype=torch.float64, requires_grad=needs_grad) for place in chosen]


def by_hand(terms: list[Tensor], chosen: list[tuple[int, ...]]) -> Tensor:
    total = torch.zeros(2, CHANNELS, 3, 4, dtype=torch.float64)
    for term, place in zip(terms, chosen, strict=True):
        for channel, position in enumerate(place):
            total[:, position] += term[:, channel].detach()
    return total


def test_a_contiguous_slice_is_a_view_and_gather_a_copy():
    x = torch.rand(2, CHANNELS, 3, 4)
    view, gathered = ContiguousSlice(1, 4)(x), Gather((1, 2, 3))(x)
    assert torch.equal(view, x[:, 1:4])
    assert torch.equal(view, gathered)
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert gathered.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()


@each_place
def test_spread_puts_channels_at_their_places(place):
    (term,) = terms_for([place])
    assert torch.equal(Spread(CHANNELS, place, len(place))(term), by_hand([term], [place]))


@each_place
def test_spread_undoes_gather(place):
    x = torch.rand(1, CHANNELS, 2, 2)
    seen = Spread(CHANNELS, place, len(place))(Gather(place)(x))
    assert torch.equal(seen[:, list(place)], x[:, list(place)])


def test_spread_of_nothing_takes_the_size_alone():
    assert torch.equal(Spread(4, [], given=1)(torch.rand(2, 1, 3, 5)), torch.zeros(2, 4, 3, 5))


@settings(deadline=None, max_examples=60)
@given(places, st.booleans(), st.integers(0, 3))
def test_both_forms_of_a_sum_give_what_a_hand_adds(chosen, with_base, number):
    base = number % len(chosen) if with_base else None
    if base is not None:
        chosen[base] = PLACES["whole"]
    layer, terms = Accumulate(CHANNELS, chosen, base, in_place=False), terms_for(chosen)
    before, truth = copy.deepcopy(terms), by_hand(terms, chosen)
    with torch.enable_grad():
        torch.testing.assert_close(layer(*terms), truth, rtol=0, atol=1e-15)
    with torch.no_grad():
        result = layer(*terms)
        torch.testing.assert_close(result, truth, rtol=0, atol=1e-15)
        result.zero_()
    assert all(torch.equal(*pair) for pair in zip(terms, before, strict=True))


@each_place
@pytest.mark.parametrize("base_first", [True, False])
def test_in_place_overwrites_the_base_alone(place, base_first):
    chosen = [PLACES["whole"], place] if base_first else [place, PLACES["whole"]]
    base = 0 if base_first else 1
    layer, terms = Accumulate(CHANNELS, chosen, base, in_place=True), terms_for(chosen)
    other, truth = terms[1 - base].clone(), by_hand(terms, chosen)
    with torch.enable_grad():
        kept = terms[base].clone()
        layer(*terms)
        assert torch.equal(terms[base], kept)
    with torch.no_grad():
        result = layer(*terms)
    torch.testing.assert_close(result, truth, rtol=0, atol=1e-15)
    assert result.data_ptr() == terms[base].data_ptr()
    assert torch.equal(terms[1 - base], other)


@each_place
@pytest.mark.parametrize("base", [None, 0])
def test_gradients_reach_every_term(place, base):
    chosen = [PLACES["whole"], place, PLACES["scattered"]]
    terms, weight = terms_for(chosen, needs_grad=True), torch.rand(2, CHANNELS, 3, 4, dtype=torch.float64)
    (Accumulate(CHANNELS, chosen, base, in_place=base is not None)(*terms) * weight).sum().backward()
    for term, spot in zip(terms, chosen, strict=True):
        assert term.grad is not None
        assert torch.equal(term.grad, weight[:, list(spot)])


@pytest.mark.parametrize("module", [ContiguousSlice(1, 3), Gather((3, 1)), Spread(6, (4, 1, 0, 2), 4)])
def test_gradients_pass_through(module):
    x = torch.rand(1, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)])
@each_place
def test_terms_of_two_precisions_are_added(place, dtypes):
    chosen = [PLACES["whole"], place]
    terms = [term.to(dtype) for term, dtype in zip(terms_for(chosen), dtypes, strict=True)]
    truth = by_hand([term.double() for term in terms], chosen)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            result = Accumulate(CHANNELS, chosen, 0, in_place=False)(*terms)
        torch.testing.assert_close(result.double(), truth, rtol=0, atol=2e-2)


@pytest.mark.parametrize(
    ("place", "expected"), [((0, 1, 2), (0, 3)), ((4,), (4, 5)), ((1, 3), None), ((2, 1), None), ((0, 0), None)]
)
def test_a_contiguous_slice_counts_up_by_one(place, expected):
    assert as_slice(place) == expected


def test_the_layers_add_nothing_to_a_state():
    layers = nn.ModuleList(
        [ContiguousSlice(0, 2), Gather((0, 2)), Spread(3, (0,), 1), Accumulate(3, [(0, 2), (1,)], None, in_place=False)]
    )
    assert not layers.state_dict()
