"""What the commands of the search share: the laws of their flags, and the setup made of them."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.preparation import (
    CROP_SIDE,
    CROPS,
    LARGE_STEPS,
    SMALL_STEPS,
    add_flags,
    check_flags,
    load_data,
    make_setup,
    positive_number,
)
from sr.command import Parser
from sr.errors import InputError


def parsed(*given: str) -> argparse.Namespace:
    parser = Parser(prog="python -m test", description="A test.", example="none")
    add_flags(parser)
    parser.add_argument("--networks", type=int)
    parser.add_shared("data", "val", "device", "seed")
    args = parser.parse_args(["--budget-ms", "40", "--device", "cpu", *given])
    check_flags(args, "networks")
    return args


def test_texts_become_values_with_the_defaults_of_a_cpu() -> None:
    args = parsed("--lr-size", "32x24")
    assert (args.budget_ms, args.lr_size, args.dtype, args.device) == (40.0, (24, 32), "float32", torch.device("cpu"))
    assert (args.batch, args.patch) == SMALL_STEPS != LARGE_STEPS
    assert (args.space, args.networks) == ("msrresnet", None)
    assert (parsed("--batch", "3").batch, parsed("--patch", "5").patch) == (3, 5)


@pytest.mark.parametrize("name", ["batch", "patch", "networks"])
def test_counts_are_at_least_one(name: str) -> None:
    with pytest.raises(InputError, match=f"--{name} must be at least 1, got 0"):
        parsed(f"--{name}", "0")


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon", ""])
def test_a_budget_is_a_number_over_zero(text: str) -> None:
    with pytest.raises(InputError, match="--budget-ms must be a number of milliseconds over zero, got "):
        positive_number(text)
    assert positive_number("1e-3") == 0.001


def test_a_setup_judges_on_crops_of_validation_pictures() -> None:
    args = parsed("--lr-size", "32x24", "--seed", "5", "--batch", "2", "--patch", "8")
    train, val = load_data(args)
    setup = make_setup(args, 7, train, val)
    assert (setup.recipe.steps, setup.recipe.batch, setup.recipe.patch, setup.recipe.seed) == (7, 2, 8, 5)
    assert (setup.budget_ms, setup.lr_size) == (40.0, (24, 32))
    assert len(setup.train) == len(train)
    assert len(setup.val) == min(CROPS, len(val))
    assert max(int(setup.val.lr.heights.max()), int(setup.val.lr.widths.max())) <= CROP_SIDE


def test_pictures_are_not_shared(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "same.png")
    with pytest.raises(InputError, match="must not share a picture, but both hold same"):
        load_data(parsed("--data", str(tmp_path), "--val", str(tmp_path)))
