"""Variables and their units."""

import numpy as np

from prune.plan import Group, Member
from prune.sites import Site
from prune.variables import of_sites, ranks, units_of


def test_every_site_is_a_variable_of_its_own():
    site = Site(Member("conv", "outputs", ((0,), (1,))), 7, (0, 1))
    (variable,) = of_sites([site])
    assert variable.group.members == (site.member,)
    assert (variable.stream, variable.numbers) == (7, (0, 1))


def test_a_unit_is_left_where_any_member_keeps_a_channel_of_it():
    first = Member("a", "outputs", ((0, 1), (2, 3), (4, 5)))
    second = Member("b", "inputs", ((0,), (1,), (2,)))
    assert units_of(Group((first, second)), ((1,), (2,))).tolist() == [True, False, True]


def test_ranks_go_from_nought_to_one():
    assert ranks(np.array([3.0, 1.0, 2.0])).tolist() == [1.0, 0.0, 0.5]
