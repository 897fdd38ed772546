"""The setup of all candidates: the device's defaults, crops to judge on, and pictures that are not shared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nas.config.shared import SharedConfig
from nas.evaluation_setup import CROP_SIDE, CROPS, LARGE_STEPS, SMALL_STEPS, load_pictures, make_setup, target_of
from sr.data.manifest import Manifest
from sr.data.sources import PictureSet, load_pairs
from sr.errors import InputError
from sr.progress import Event
from sr.terminal import Terminal


def config(**fields: Any) -> SharedConfig:
    return SharedConfig(**{"budget_ms": 40.0, "lr_size": (24, 32), "device": "cpu", "engine": "torch", **fields})


@pytest.fixture(scope="module")
def pictures() -> tuple[PictureSet, PictureSet]:
    nowhere = Manifest((), ())
    train, val = load_pairs(None, "train").centre_crops(48, 2), load_pairs(None, "val")
    return PictureSet(train, nowhere), PictureSet(val, nowhere)


def test_setup_judges_on_crops_of_validation_pictures() -> None:
    given = config(seed=5, batch=2, patch=8)
    train, val = load_pictures(given)
    setup = make_setup(given, 7, train, val)
    assert (setup.recipe.steps, setup.recipe.batch, setup.recipe.patch, setup.recipe.seed) == (7, 2, 8, 5)
    assert (setup.budget_ms, setup.target) == (40.0, target_of(given))
    assert len(setup.train) == len(train.pairs)
    assert len(setup.val) == min(CROPS, len(val.pairs))
    assert setup.pictures == {"train": train.manifest.identity, "val": val.manifest.identity}
    assert (train.manifest.identity["count"], val.manifest.identity["count"]) == (6, 3)
    assert max(int(setup.val.lr.heights.max()), int(setup.val.lr.widths.max())) <= CROP_SIDE


def test_setup_of_another_scale_has_pictures_of_it() -> None:
    given = config(batch=2, patch=8, scale=2)
    setup = make_setup(given, 7, *load_pictures(given))
    assert (setup.train.scale, setup.val.scale, setup.scale) == (2, 2, 2)
    lr, hr = setup.val.pair(0)
    assert hr.shape[2:] == (2 * lr.shape[2], 2 * lr.shape[3])


def test_batch_and_patch_of_a_cpu_are_small_where_none_are_given(pictures: tuple[PictureSet, PictureSet]) -> None:
    def steps(**fields: Any) -> tuple[int, int]:
        recipe = make_setup(config(**fields), 7, *pictures).recipe
        return recipe.batch, recipe.patch

    assert steps() == SMALL_STEPS != LARGE_STEPS
    assert steps(batch=3) == (3, SMALL_STEPS[1])
    assert steps(patch=5) == (SMALL_STEPS[0], 5)


def test_target_is_that_of_the_config() -> None:
    target = target_of(config(dtype="bfloat16"))
    assert (target.device, target.lr_size, target.dtype) == (torch.device("cpu"), (24, 32), "bfloat16")


def test_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="--device must be auto, cpu, cuda or cuda:N, got 'abacus'"):
        load_pictures(config(device="abacus"))


def test_pictures_in_both_folders_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "same.png")
    with pytest.raises(InputError, match="must not share a picture, but both hold same"):
        load_pictures(config(data=tmp_path, val=str(tmp_path)))


def test_loading_prints_nothing_and_reports_what_a_terminal_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.fromarray(noise[:8, :8]).save(tmp_path / "tiny.png")
    events: list[Event] = []
    load_pictures(config(data=tmp_path), events.append)
    assert capsys.readouterr() == ("", "")
    for event in events:
        Terminal()(event)
    assert "tiny.png" in capsys.readouterr().err
