"""The flags that commands share: the config that they make, and texts that are no values."""

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from nas.config.shared import SharedConfig
from nas.config.shared_arguments import add_shared_arguments, shared_config, shared_values
from sr.command import Parser
from sr.errors import InputError


def parsed(*given: str) -> argparse.Namespace:
    parser = Parser(prog="python -m test", description="A test.", example="none")
    add_shared_arguments(parser)
    return parser.parse_args(given)


def test_defaults_are_those_of_the_config() -> None:
    assert shared_config(parsed("--budget-ms", "40")) == SharedConfig(budget_ms=40.0)


def test_several_devices_are_one_flag() -> None:
    assert shared_config(parsed("--budget-ms", "40", "--devices", "cuda:0,cuda:1")).devices == "cuda:0,cuda:1"


def test_every_field_has_its_flag() -> None:
    given = parsed(
        "--budget-ms", "40", "--space", "neptuneai", "--lr-size", "32x24", "--dtype", "float16", "--batch", "3",
        "--patch", "5", "--data", "some", "--val", "others", "--device", "cpu", "--seed", "7", "--execution", "eager",
    )  # fmt: skip
    assert shared_config(given) == SharedConfig(
        budget_ms=40.0, space="neptuneai", lr_size=(24, 32), dtype="float16", batch=3, patch=5, data=Path("some"),
        val=Path("others"), device="cpu", seed=7, execution="eager",
    )  # fmt: skip
    assert set(shared_values(given)) == {field.name for field in fields(SharedConfig)}


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon", ""])
def test_budget_that_is_no_number_over_zero_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--budget-ms must be a number of milliseconds over zero, got "):
        shared_config(parsed("--budget-ms", text))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lr-size", "large"], "an LR size is WIDTHxHEIGHT"),
        (["--batch", "0"], "--batch must be at least 1, got 0"),
        (["--space", "outer"], "invalid choice"),
        (["--dtype", "int3"], "invalid choice"),
    ],
)
def test_flag_that_breaks_a_constraint_is_named(flags: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shared_config(parsed("--budget-ms", "40", *flags))


def test_budget_is_required() -> None:
    with pytest.raises(InputError, match="--budget-ms"):
        parsed()
