"""What is known of a system, and what tells the form of its official weights."""

import pytest
import torch
from torch import nn

from baselines.entry import Baseline, out_channels
from baselines.stages import Stage
from sr.errors import InputError


def test_an_entry_needs_a_network_and_a_name_alone():
    entry = Baseline(network=nn.Identity, system="Nothing")
    assert (entry.counted, entry.channel_step, entry.recipe) == ("deployed", 1, (Stage(),))
    assert not entry.training_form
    assert not entry.official_keys


def test_out_channels_are_those_of_the_kernel():
    assert out_channels({"head.weight": torch.zeros(7, 3, 3, 3)}, "head.weight") == 7


def test_a_kernel_that_is_not_there_is_refused_by_name():
    with pytest.raises(InputError, match=r"nothing in them becomes head\.weight"):
        out_channels({}, "head.weight")
