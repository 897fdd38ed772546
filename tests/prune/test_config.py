"""What a pruning may be asked for."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prune.config import CHANNEL_ORDERS, METHODS, METRICS, PruneConfig
from sr.errors import InputError


def test_half_of_the_runtime_where_nothing_is_said() -> None:
    assert PruneConfig().limits == {"runtime": ("ratio", 0.5)}


def test_one_number_is_for_all_targets() -> None:
    config = PruneConfig(targets=("params", "multi_adds"), ratio=0.3)
    assert config.limits == {"params": ("ratio", 0.3), "multi_adds": ("ratio", 0.3)}


def test_a_number_per_target() -> None:
    config = PruneConfig(targets=("params", "activations"), budget=(353000, 302.3e6))
    assert config.limits == {"params": ("budget", 353000), "activations": ("budget", 302.3e6)}


def test_a_quarter_of_an_hour_where_nothing_is_said() -> None:
    assert PruneConfig().seconds == 900
    assert PruneConfig(time_limit=None).seconds == math.inf
    assert PruneConfig(time_limit=math.inf).seconds == math.inf
    assert PruneConfig(time_limit=90).seconds == 90


def test_paths_may_be_text() -> None:
    config = PruneConfig(out="runs/here", data="pictures")
    assert (config.folder, config.data, config.val) == (Path("runs/here"), Path("pictures"), None)


def test_names_are_those_that_there_are() -> None:
    assert METRICS == ("params", "multi_adds", "activations", "runtime")
    assert CHANNEL_ORDERS == ("independent", "blended", "shared")
    assert METHODS == ("per-layer", "group", "magnitude")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ratio": 1.0}, "--ratio takes one number per target, over 0 and under 1; got 1.0 for runtime"),
        ({"ratio": 0.0}, "over 0 and under 1; got 0.0"),
        ({"ratio": -1.0}, "over 0 and under 1; got -1.0"),
        ({"ratio": float("nan")}, "over 0 and under 1; got nan"),
        ({"ratio": (0.3, 0.4)}, "--ratio takes one number per target"),
        ({"ratio": ()}, "--ratio takes one number per target"),
        ({"budget": 0.0}, "--budget takes one number per target, over 0; got 0.0"),
        ({"budget": float("inf")}, "--budget takes one number per target, over 0; got inf"),
        ({"targets": ("params", "runtime"), "budget": (1.0, 2.0, 3.0)}, "got 1.0, 2.0, 3.0 for params, runtime"),
        ({"ratio": 0.5, "psnr_floor": 28.0}, "--ratio, --budget and --psnr-floor exclude each other"),
        ({"ratio": 0.5, "budget": 3.0}, "exclude each other"),
        ({"psnr_floor": float("inf")}, "--psnr-floor must be a number of dB, got inf"),
        ({"psnr_floor": float("nan")}, "--psnr-floor must be a number of dB"),
        ({"targets": ("flops",)}, "--target takes each once, of params, multi_adds, activations, runtime; got flops"),
        ({"targets": ()}, "--target takes each once, .* got none"),
        ({"targets": ("params", "params")}, "--target takes each once"),
        (
            {"channel_orders": ("sorted",)},
            "--channel-order takes each once, of independent, .*; got sorted",
        ),
        ({"methods": ("ours",)}, "--methods takes each once, of per-layer, group, magnitude; got ours"),
        ({"dtype": "int3"}, "--dtype must be one of bfloat16, float16, float32, int8, got 'int3'"),
        ({"rounds": 0}, "--rounds must be over 0, got 0"),
        ({"tick_steps": -1}, "--tick-steps must be over 0"),
        ({"learning_rate": float("nan")}, "--learning-rate must be over 0"),
        ({"time_limit": 0.0}, "--time-limit must be over zero seconds, or none, got 0.0"),
        ({"time_limit": float("nan")}, "--time-limit must be over zero seconds, or none, got nan"),
        ({"fine_tune_steps": -1}, "--fine-tune-steps must be at least 0"),
        ({"distillation": 1.5}, "--distillation must be within 0 and 1"),
    ],
)
def test_a_value_outside_its_constraint_is_refused_in_one_line(values: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        PruneConfig(**values)
    assert "\n" not in str(caught.value)


def test_neither_the_config_nor_the_command_imports_torch_before_it_prunes() -> None:
    code = "import sys, prune.config, prune.run; assert not {'torch', 'numpy', 'plotly', 'scipy'} & {*sys.modules}"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)
