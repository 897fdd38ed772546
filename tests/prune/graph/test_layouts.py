"""Layouts, worked out by hand."""

import pytest

from prune.graph.layouts import expanded, within


@pytest.mark.parametrize(("access", "expected"), [("gather", (4, 2)), ("slice", (4, 0, 2)), ("fold", (1, 4, 0, 2, 3))])
def test_what_is_computed_to_get_at_some_channels(access, expected):
    assert within((1, 4, 0, 2, 3), (2, 4), access) == expected


def test_a_channel_is_four_before_a_pixel_shuffle():
    assert expanded((2, 0), 2) == (8, 9, 10, 11, 0, 1, 2, 3)
