"""LR sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE, check_size, parse_size, size_text

SIDES = st.integers(SMALLEST_SIDE, 10_000)


@given(st.tuples(SIDES, SIDES))
def test_what_is_written_reads_the_same(size: tuple[int, int]) -> None:
    assert parse_size(size_text(size)) == size


def test_width_comes_first() -> None:
    assert parse_size("480x270") == (270, 480)


@pytest.mark.parametrize("text", ["", "480", "480x", "x270", "480 x 270", "-480x270", "15x270", "480x270x3", "4.8x27"])
def test_what_is_no_size_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="an LR size is WIDTHxHEIGHT") as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)


@given(st.tuples(SIDES, SIDES))
def test_pair_of_sides_is_a_size(size: tuple[int, int]) -> None:
    check_size(size)


@pytest.mark.parametrize("size", [16, None, "16x24", [16, 24], (16,), (16, 24, 3), (15, 24), (16.0, 24), (True, 24)])
def test_what_is_no_pair_of_sides_is_one_line(size: object) -> None:
    with pytest.raises(InputError, match=r"an LR size is \(height, width\) in pixels, each a whole number"):
        check_size(size)  # type: ignore[arg-type]
