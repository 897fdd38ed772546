"""Which files are taken for pictures."""

from PIL import Image

from sr.pictures.suffixes import UNUSUAL, USUAL


def test_each_suffix_is_read_and_stands_once() -> None:
    every = (*USUAL, *UNUSUAL)
    assert len(set(every)) == len(every)
    assert set(every) <= Image.registered_extensions().keys()
