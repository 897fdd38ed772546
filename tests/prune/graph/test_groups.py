"""Groups of channels that go together."""

from prune.graph.groups import Group, Member


def test_a_group_counts_its_units():
    shuffled = Member("up", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7)))
    assert Group((shuffled, Member("next", "inputs", ((0,), (1,))))).units == 2
