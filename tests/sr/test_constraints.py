"""Constraints that configs have in common: what they let pass, and the one line that they say of the rest."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from sr.constraints import DTYPE_NAMES, as_paths, at_least, flag, of_declared_types, one_of
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import StrPath


@dataclass(frozen=True)
class Config:
    """A field of each kind."""

    count: int = 1
    share: float = 0.5
    name: str = "x"
    sure: bool = False
    size: tuple[int, int] = (16, 24)
    kinds: tuple[str, ...] = ("a",)
    choice: Literal["up", "down"] = "up"
    limit: float | tuple[float, ...] | None = None
    folder: StrPath | None = None

    def __post_init__(self) -> None:
        of_declared_types(self)
        as_paths(self, "folder")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"share": 1, "limit": 2},
        {"limit": (0.5, 1)},
        {"kinds": ()},
        {"folder": "text"},
        {"folder": Path("path")},
        # Another choice is of the right type: which ones there are, another constraint says.
        {"choice": "sideways"},
    ],
)
def test_values_of_the_declared_types_pass(values: dict[str, Any]) -> None:
    config = Config(**values)
    assert config.folder is None or isinstance(config.folder, Path)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": 1.0}, "--count must be a whole number, got 1.0"),
        ({"count": "1"}, "--count must be a whole number, got '1'"),
        ({"count": True}, "--count must be a whole number, got True"),
        ({"share": "0.5"}, "--share must be a number, got '0.5'"),
        ({"share": None}, "--share must be a number, got None"),
        ({"name": 5}, "--name must be text, got 5"),
        ({"sure": "no"}, "--sure must be True or False, got 'no'"),
        ({"size": 16}, "--size must be (a whole number, a whole number), got 16"),
        ({"size": (16, 24, 3)}, "--size must be (a whole number, a whole number), got (16, 24, 3)"),
        ({"size": [16, 24]}, "--size must be (a whole number, a whole number), got [16, 24]"),
        ({"kinds": "abc"}, "--kinds must be a tuple of text, got 'abc'"),
        ({"kinds": (1,)}, "--kinds must be a tuple of text, got (1,)"),
        ({"choice": 5}, "--choice must be one of up, down, got 5"),
        ({"limit": "x"}, "--limit must be a number or a tuple of a number or None, got 'x'"),
        ({"folder": 5}, "--folder must be text or a path or None, got 5"),
    ],
)
def test_value_of_another_type_is_named_with_what_it_must_be(values: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        Config(**values)
    assert str(caught.value) == line


def test_least_value_passes_and_none_does_too() -> None:
    config = Config(count=2)
    at_least(2, config, "count", "limit")
    with pytest.raises(InputError, match="--count must be at least 3, got 2"):
        at_least(3, config, "count")


def test_value_that_is_not_allowed_is_named_with_those_that_are() -> None:
    one_of(Config(), "choice", ("up", "down"))
    with pytest.raises(InputError, match="--choice must be one of left, right, got 'up'"):
        one_of(Config(), "choice", ("left", "right"))


def test_flag_is_the_field_as_it_is_typed() -> None:
    assert flag("trial_steps") == "--trial-steps"


def test_names_of_dtypes_are_those_of_the_registry() -> None:
    assert set(DTYPE_NAMES) == {*DTYPES, "int8"}
