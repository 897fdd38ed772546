"""How many times as high and wide as LR HR and SR are."""

from sr.errors import InputError

SCALES = (2, 3, 4)
# That of the challenge, and of whatever does not say its own.
DEFAULT_SCALE = 4


def check_scale(scale: int) -> None:
    """Raise InputError where a scale is none of SCALES; the line names the flag of the commands."""
    if type(scale) is not int or scale not in SCALES:
        raise InputError(f"--scale is one of {', '.join(map(str, SCALES))}, got {scale!r}")
