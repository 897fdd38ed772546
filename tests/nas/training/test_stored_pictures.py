"""Pictures arrive on a node as they were."""

import torch

from nas.evaluate import Setup
from nas.training.stored_pictures import StoredPairs, without_pictures


def test_stored_pairs_are_the_pairs(tiny: Setup) -> None:
    again = StoredPairs.of(tiny.train).pairs()
    assert again.names == tiny.train.names
    for index in range(len(again)):
        assert all(map(torch.equal, again.pair(index), tiny.train.pair(index)))


def test_pairs_of_another_scale_keep_it_on_their_way(setup_at_x2: Setup) -> None:
    assert StoredPairs.of(setup_at_x2.val).pairs().scale == 2
    assert without_pictures(setup_at_x2).scale == 2
