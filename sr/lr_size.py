"""The size of an LR picture, and how people write it."""

from sr.errors import InputError

# Height and width, as tensors have them.
LrSize = tuple[int, int]

# Networks with strides and pooling inside fail below some side; none of the field needs more than this.
SMALLEST_SIDE = 16


def check_size(size: LrSize) -> None:
    """Raise InputError where a size is no pair of whole numbers that are large enough."""
    whole = isinstance(size, tuple) and len(size) == 2 and all(type(side) is int for side in size)
    if not whole or min(size) < SMALLEST_SIDE:
        raise InputError(
            f"an LR size is (height, width) in pixels, each a whole number from {SMALLEST_SIDE}; got {size!r}"
        )


def parse_size(text: str) -> LrSize:
    """Turn WIDTHxHEIGHT into (height, width).

    Raises:
        InputError: Where it is none or a side is under SMALLEST_SIDE.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= SMALLEST_SIDE):
        raise InputError(
            f"an LR size is WIDTHxHEIGHT in pixels, each at least {SMALLEST_SIDE}, such as 480x270; got {text!r}"
        )
    return int(height), int(width)


def size_text(size: LrSize) -> str:
    """Return WIDTHxHEIGHT."""
    return f"{size[1]}x{size[0]}"
