"""Rows keep their order however they are grouped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.pictures.picture import Frame, FrameRows, Layout


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 9))
def test_rows_regrouped_are_the_same_rows(heights: list[int], group: int) -> None:
    pixels = np.arange(sum(heights) * 6, dtype=np.uint16).reshape(-1, 2, 3)
    bands = np.split(pixels, np.cumsum(heights)[:-1])
    frame = FrameRows(Layout.of(pixels), bands)
    grouped = list(frame.regrouped(group))
    assert [len(band) for band in grouped[:-1]] == [group] * (len(grouped) - 1)
    assert np.array_equal(np.concatenate(grouped), pixels)
    assert np.array_equal(frame.whole(), pixels)


def test_a_layout_counts_its_bytes_and_knows_alpha() -> None:
    layout = Frame(np.zeros((3, 5, 2), np.uint16)).layout
    assert (layout.row_bytes, layout.total_bytes, layout.has_alpha, layout.is_grey) == (20, 60, True, True)
    assert layout.enlarged(4) == Layout(12, 20, 2, 16)


@pytest.mark.parametrize("pixels", [np.zeros((3, 5), np.uint8), np.zeros((3, 5, 5), np.uint8), np.zeros((3, 5, 3))])
def test_other_arrays_are_no_pixels(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels are"):
        Layout.of(pixels)
