"""Configs: what they hold, and the constraints on it."""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from nas.config.shared import SharedConfig
from search_spaces import SPACES
from sr.constraints import DTYPE_NAMES
from sr.deployment import DTYPES
from sr.errors import InputError


def test_shared_config_of_a_budget_has_the_defaults() -> None:
    config = SharedConfig(budget_ms=40)
    assert (config.space, config.lr_size, config.dtype, config.device) == ("msrresnet", (256, 256), "float32", "auto")
    assert (config.batch, config.patch, config.data, config.val, config.seed) == (None, None, None, None, 0)
    assert (config.scale, config.search_space) == (4, SPACES["msrresnet"])


def test_the_space_is_that_of_the_name_at_the_scale() -> None:
    space = SharedConfig(budget_ms=40, space="neptuneai", scale=2).search_space
    assert space == SPACES["neptuneai"].at_scale(2)
    assert {seed.scale for seed in space.seeds} == {space.scale} == {2}


def test_names_are_those_of_the_registries() -> None:
    assert set(DTYPE_NAMES) == {*DTYPES, "int8"}


def test_networks_are_measured_on_the_first_of_several_devices() -> None:
    assert SharedConfig(budget_ms=40, devices="cuda:1, cuda:0").measured_on == "cuda:1"
    assert SharedConfig(budget_ms=40, device="cpu").measured_on == "cpu"


def test_paths_may_be_texts_and_are_held_as_paths() -> None:
    config = SharedConfig(budget_ms=40, data="some/folder", val=Path("other"))
    assert (config.data, config.val) == (Path("some/folder"), Path("other"))


def test_shared_config_is_frozen() -> None:
    config = SharedConfig(budget_ms=40)
    with pytest.raises(FrozenInstanceError):
        config.budget_ms = 50  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"budget_ms": 0}, "--budget-ms must be a number of milliseconds over zero, got 0"),
        ({"budget_ms": float("inf")}, "--budget-ms must be a number of milliseconds over zero, got inf"),
        ({"space": "outer"}, "--space must be one of msrresnet, neptuneai, got 'outer'"),
        ({"scale": 8}, "--scale is one of 2, 3, 4, got 8"),
        ({"scale": "2"}, "--scale must be a whole number, got '2'"),
        ({"dtype": "int3"}, "--dtype must be one of bfloat16, float16, float32, int8, got 'int3'"),
        ({"lr_size": (8, 256)}, "an LR size is (height, width) in pixels, each a whole number from 16; got (8, 256)"),
        ({"lr_size": (256,)}, "--lr-size must be (a whole number, a whole number), got (256,)"),
        ({"budget_ms": "40"}, "--budget-ms must be a number, got '40'"),
        ({"seed": None}, "--seed must be a whole number, got None"),
        ({"batch": 1.5}, "--batch must be a whole number or None, got 1.5"),
        ({"batch": 0}, "--batch must be at least 1, got 0"),
        ({"execution": "lazy"}, "--execution must be one of auto, eager, graph, got 'lazy'"),
        ({"device": "cuda:1", "devices": "cuda:0,cuda:1"}, "--device and --devices exclude each other, got cuda:1"),
        ({"patch": -2}, "--patch must be at least 1, got -2"),
    ],
)
def test_shared_config_that_breaks_a_constraint_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        SharedConfig(**{"budget_ms": 40.0, **fields})


def test_configs_and_their_flags_need_no_torch() -> None:
    heavy = ("torch", "numpy", "pandas", "plotly", "optuna", "scipy", "skimage", "onnxruntime")
    code = f"import sys, nas.config.shared, nas.config.shared_arguments; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
