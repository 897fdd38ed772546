"""What a search is asked for: defaults that follow from each other, and constraints."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nas.config.fidelity import TRAINED_RUNGS, Fidelity
from nas.config.search import DEFAULT_SECONDS, SearchConfig
from sr.errors import InputError


def config_of(**fields: Any) -> SearchConfig:
    return SearchConfig(**{"budget_ms": 40.0, **fields})


def test_config_of_a_budget_has_the_defaults() -> None:
    config = config_of()
    assert (config.fidelity, config.init, config.sampler) == ("rungs", None, "mixed")
    assert (config.teacher_share, config.teacher, config.workers, config.trials) == (0.0, None, None, None)
    assert (config.out, config.study, config.storage) == (Path("runs/search"), "search", None)
    assert (config.resume, config.use_seeds, config.use_predictions) == (False, True, True)


def test_paths_may_be_texts_and_are_held_as_paths() -> None:
    config = config_of(out="out", teacher="teacher.pth")
    assert (config.out, config.teacher) == (Path("out"), Path("teacher.pth"))


@pytest.mark.parametrize("fidelity", list(TRAINED_RUNGS))
def test_trainings_start_from_the_supernet_where_there_is_one(fidelity: Fidelity) -> None:
    scored = fidelity == "supernet"
    assert config_of(fidelity=fidelity).starts_from_supernet == scored
    assert config_of(fidelity=fidelity).needs_supernet == scored
    warm = config_of(fidelity=fidelity, init="supernet")
    assert (warm.starts_from_supernet, warm.needs_supernet) == (True, True)
    cold = config_of(fidelity=fidelity, init="scratch")
    assert (cold.starts_from_supernet, cold.needs_supernet) == (False, scored)


def test_time_limit_is_the_default_where_trials_are_not_counted() -> None:
    assert config_of().seconds == DEFAULT_SECONDS
    assert config_of(trials=5).seconds == math.inf
    assert config_of(trials=5, time_limit=120.0).seconds == 120.0


def test_rivals_are_none_those_named_or_all() -> None:
    families = ("ecbsr", "span", "rlfn")
    assert config_of().rivals_of(families) == ()
    assert config_of(rivals=("span",)).rivals_of(families) == ("span",)
    assert config_of(rivals=("all",)).rivals_of(families) == families


def test_teacher_gives_half_where_nothing_else_is_said() -> None:
    assert config_of(teacher="teacher.pth").teacher_share == 0.5
    assert config_of(teacher="teacher.pth", distillation=0.2).teacher_share == 0.2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"distillation": 0.5}, "--distillation over 0 and --teacher CKPT go together; give both or neither"),
        ({"teacher": "a.pth", "distillation": 0.0}, "--distillation over 0 and --teacher CKPT go together"),
        ({"distillation": 1.5}, "--distillation must be within 0 and 1, got 1.5"),
        ({"distillation": math.nan}, "--distillation must be within 0 and 1, got nan"),
        ({"workers": 0}, "--workers must be at least 1, got 0"),
        ({"patience": 0}, "--patience must be at least 1, got 0"),
        ({"trials": 0}, "--trials must be at least 1, got 0"),
        ({"trial_steps": -3}, "--trial-steps must be at least 1, got -3"),
        ({"train_steps": 0}, "--train-steps must be at least 1, got 0"),
        ({"fidelity": "guess"}, "--fidelity must be one of rungs, supernet, train, got 'guess'"),
        ({"init": "guess"}, "--init must be scratch or supernet, got 'guess'"),
        ({"sampler": "luck"}, "--sampler must be one of mixed, .*, got 'luck'"),
        ({"nni_tuner": "Metis"}, "--nni-tuner must be one of TPE, .*, got 'Metis'"),
        ({"time_limit": 0.0}, "--time-limit must be over zero seconds, got 0.0"),
        ({"time_limit": math.nan}, "--time-limit must be over zero seconds, got nan"),
        ({"budget_ms": 0.0}, "--budget-ms must be a number of milliseconds over zero, got 0.0"),
    ],
)
def test_config_that_breaks_a_constraint_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        config_of(**fields)


def test_config_and_its_flags_need_no_torch() -> None:
    heavy = ("torch", "numpy", "pandas", "plotly", "optuna", "scipy", "skimage", "onnxruntime")
    code = f"import sys, nas.search, nas.config.search_arguments; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
