"""The words of a page for the parts of an architecture."""

import pytest

from nas.report.vocabulary import vocabulary
from search_spaces.architecture import AGGREGATIONS, UPSAMPLERS
from search_spaces.kinds import BLOCKS


@pytest.mark.parametrize(("scale", "twice"), [(2, False), (3, False), (4, True)])
def test_an_upsampler_of_steps_takes_two_of_them_at_x4_alone(scale: int, twice: bool) -> None:
    words = vocabulary(scale)
    assert words["scale"] == scale
    assert set(words["upsampler"]) == set(UPSAMPLERS)
    assert not words["upsampler"]["one_step"].startswith("twice")
    for name in ("two_step", "nearest_conv"):
        assert words["upsampler"][name].startswith("twice: ") == twice


def test_every_part_that_a_space_may_hold_has_its_words() -> None:
    words = vocabulary(4)
    # An empty position is not drawn, and without a way around the blocks there is none to draw.
    assert set(words["blocks"]) == set(BLOCKS) - {"identity"}
    assert set(words["aggregation"]) == set(AGGREGATIONS) - {"none"}
