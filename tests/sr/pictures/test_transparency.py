"""Hidden colours beside what is seen take its colour, and no others change."""

import numpy as np

from sr.pictures.transparency import REACH, bled


def test_hidden_colours_take_those_next_to_them_and_keep_theirs_farther_away() -> None:
    pixels = np.zeros((3, 40, 4), np.uint8)
    pixels[:, :10] = [200, 100, 50, 255]
    pixels[:, 10:, :3] = [1, 2, 3]
    changed = bled(pixels)
    assert np.array_equal(changed[..., 3], pixels[..., 3])
    assert (changed[:, : 10 + REACH, :3] == [200, 100, 50]).all()
    assert (changed[:, 10 + REACH :, :3] == [1, 2, 3]).all()


def test_pictures_without_hidden_colours_or_with_nothing_else_are_left_alone() -> None:
    for alpha in (0, 255, 1):
        pixels = np.full((3, 4, 2), [9, alpha], np.uint8)
        assert bled(pixels) is pixels
