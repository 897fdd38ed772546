"""The config of a calibration: its defaults and its constraints."""

from pathlib import Path
from typing import Any

import pytest

from nas.config.calibration import CalibrateConfig
from sr.errors import InputError


def test_calibrate_config_of_a_budget_has_the_defaults() -> None:
    config = CalibrateConfig(budget_ms=40)
    assert (config.networks, config.steps, config.rungs, config.workers) == (16, 2000, 3, None)
    assert config.out == Path("runs/calibration")
    assert CalibrateConfig(budget_ms=40, out="some/folder").out == Path("some/folder")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"networks": 7}, "--networks must be at least 8, got 7"),
        ({"steps": 0}, "--steps must be at least 1, got 0"),
        ({"rungs": 0}, "--rungs must be at least 1, got 0"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
        ({"patch": 0}, "--patch must be at least 1, got 0"),
        ({"budget_ms": -1.0}, "--budget-ms must be a number of milliseconds over zero, got -1.0"),
    ],
)
def test_calibrate_config_that_breaks_a_constraint_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CalibrateConfig(**{"budget_ms": 40.0, **fields})
