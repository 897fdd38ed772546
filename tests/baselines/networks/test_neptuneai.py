"""neptuneai's entry among the baselines: the search space's network under the challenge's name."""

import pytest
import torch

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from search_spaces.neptuneai import NEPTUNEAI
from search_spaces.network import SearchedNetwork
from search_spaces.network import build as build_searched
from sr.errors import InputError
from sr.measure.complexity import count


def test_counts_are_those_of_table_1():
    with torch.device("meta"):
        counts = count(build("neptuneai"), fold=False)
    published = row("neptuneai")
    assert (counts.params, counts.challenge_flops, counts.activations) == (1_227_587, 147_723_386_880, 535_822_336)
    assert counts.convs == published.convs == 45
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, abs=PRINTED_UNIT["flops_g"])
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])


def test_it_is_the_searched_network():
    network = build("neptuneai")
    assert type(network) is SearchedNetwork
    network.load_state_dict(build_searched(NEPTUNEAI).state_dict())


def test_it_may_be_smaller_but_not_deeper():
    network = build("neptuneai", num_feat=8, num_block=3)
    assert (len(network.trunk), network.conv_first.out_channels) == (3, 8)
    with pytest.raises(InputError, match="at most 16, got 17"):
        build("neptuneai", num_block=17)
    with pytest.raises(InputError, match="multiple of 4 from 8 to 64, got 10"):
        build("neptuneai", num_feat=10)
