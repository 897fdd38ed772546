"""Larger sizes of the best design: what is one, and of which candidate."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.larger_sizes import is_larger_size, multi_adds
from nas.trial import Trial
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import repeated

Outcome = Callable[[int, Architecture], Trial]
DESIGN = repeated(16, "wide_residual", 4, image_skip="learned")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (repeated(16, "wide_residual", 5, image_skip="learned"), True),
        (repeated(32, "wide_residual", 2, image_skip="learned"), True),
        # An empty position adds no work.
        (replace(DESIGN, blocks=(*DESIGN.blocks, Block("identity"))), False),
        (repeated(16, "wide_residual", 3, image_skip="learned"), False),
        (repeated(8, "wide_residual", 5, image_skip="learned"), False),
        (repeated(16, "wide_residual", 5, image_skip="bilinear"), False),
        (repeated(16, "residual_leaky", 5, image_skip="learned"), False),
        (replace(DESIGN, blocks=(*DESIGN.blocks, Block("idle"))), False),
    ],
    ids=lambda value: getattr(value, "summary", None),
)
def test_a_larger_size_has_the_same_design_and_more_work(other: Architecture, expected: bool) -> None:
    assert is_larger_size(other, DESIGN) is expected
    assert not is_larger_size(DESIGN, DESIGN)
    assert (multi_adds(other) > multi_adds(DESIGN)) or not expected


def test_one_block_more_of_twenty_is_no_larger_size() -> None:
    of = {depth: repeated(16, "wide_residual", depth) for depth in (19, 20, 24)}
    assert multi_adds(of[20]) > multi_adds(of[19])
    assert not is_larger_size(of[20], of[19])
    assert is_larger_size(of[24], of[19])
