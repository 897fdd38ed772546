"""What is chosen among, worked out by hand."""

from prune.graph.groups import Group, Member
from prune.selection.problem import units_of


def test_a_unit_is_left_where_any_member_keeps_a_channel_of_it() -> None:
    first = Member("a", "outputs", ((0, 1), (2, 3), (4, 5)))
    second = Member("b", "inputs", ((0,), (1,), (2,)))
    assert units_of(Group((first, second)), ((1,), (2,))).tolist() == [True, False, True]
