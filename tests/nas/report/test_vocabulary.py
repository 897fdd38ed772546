"""The words of a page for the parts of an architecture."""

import pytest

from nas.report.vocabulary import described, vocabulary
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
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
    assert set(words["image_skip"]) == set(IMAGE_SKIPS) - {"none"}


def test_architecture_is_described_first_to_last() -> None:
    blocks = tuple(Block(kind) for kind in ("edge_conv", "identity", "idle", "idle"))
    words = described(Architecture(16, blocks, "one_step", "bicubic", "long_skip", "none"))
    order = ["to 16 channels", "edge_conv (", "2 \N{MULTIPLICATION SIGN} idle (", "long_skip (", "one_step (one conv",
             "; the LR picture itself is added, enlarged by bicubic"]  # fmt: skip
    assert [words.index(each) for each in order] == sorted(words.index(each) for each in order)
    assert "identity" not in words
    plain = described(Architecture(8, blocks, "two_step", "none", "none", "none", scale=2))
    assert plain.endswith(", then two_step (convolution, pixel shuffle)")
