import pytest

from sr.quantization.config import DEFAULT_KEEP, KEEP_NAMES
from sr.quantization.parts import KEEPS, Operation, kept, part_of


def convolution(name: str, *reads: str) -> Operation:
    return Operation(name, convolves=True, reads=reads, writes=(name,))


def other(name: str, *reads: str) -> Operation:
    return Operation(name, convolves=False, reads=reads, writes=(name,))


# Head, a residual block, tail, a padded skip, their sum, a shuffle.
USUAL = [
    convolution("head", "lr"),
    other("act", "head"),
    convolution("conv", "act"),
    other("residual", "conv", "act"),
    convolution("tail", "residual"),
    other("pad", "lr"),
    convolution("skip", "pad"),
    other("sum", "tail", "skip"),
    other("shuffle", "sum"),
]


def test_usual_network_has_every_part() -> None:
    assert part_of(USUAL) == {
        "head": "head", "act": "body", "conv": "body", "residual": "body", "tail": "tail",
        "pad": "skip", "skip": "skip", "sum": "ending", "shuffle": "ending",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("nothing", set()),
        ("skip", {"pad", "skip", "sum", "shuffle"}),
        ("ends", {"pad", "skip", "sum", "shuffle", "head", "tail"}),
    ],
)
def test_kept_operations_are_those_of_the_kept_parts(keep: str, expected: set[str]) -> None:
    assert set(kept(USUAL, keep)) == expected


def test_padding_before_the_head_is_no_skip() -> None:
    assert part_of([other("pad", "lr"), convolution("head", "pad"), convolution("tail", "head")])["pad"] == "head"


def test_skip_without_a_convolution_is_a_skip() -> None:
    operations = [
        convolution("head", "lr"),
        convolution("tail", "head"),
        other("shuffle", "tail"),
        other("enlarged", "lr"),
        other("sum", "shuffle", "enlarged"),
    ]
    assert part_of(operations) == {
        "head": "head", "tail": "tail", "shuffle": "ending", "enlarged": "skip", "sum": "ending",
    }  # fmt: skip


def test_only_convolution_is_not_left_in_float_as_a_skip() -> None:
    parts = part_of([convolution("only", "lr"), other("shuffle", "only")])
    assert parts == {"only": "tail", "shuffle": "ending"}
    assert part_of([]) == {}


def test_every_choice_that_a_command_takes_is_known() -> None:
    assert tuple(KEEPS) == KEEP_NAMES
    assert DEFAULT_KEEP in KEEPS
