"""A search that begins with an earlier one's trials, and what is not one of the same conditions."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.optuna_backend.stored import recorded
from nas.optuna_backend.study import OptunaStudy
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.training.rung_training import weights_path
from nas.trial import Trial
from nas.warm_start import check_same, take_trials
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from sr.errors import InputError

Outcome = Callable[[int, Architecture], Trial]
SPACE = SPACES["msrresnet"]
PROPOSE = RandomSearch(SearchProblem(SPACE, 0, 100.0)).propose
SETTINGS = {"space": "msrresnet", "budget_ms": 100.0, "sampler": "mixed"}


@pytest.fixture
def earlier(tmp_path: Path, outcome: Outcome) -> Path:
    """Return the folder of a search with a trained trial, its repeat, and one that was put off."""
    run = tmp_path / "earlier"
    study = OptunaStudy(SPACE, "mine", str(run / "study.journal"), 100.0)
    trained = outcome(*study.ask(lambda *_: SPACE.encode(SPACE.seeds[0])))
    assert trained.state == "trained"
    study.tell(trained)
    put_off = replace(outcome(*study.ask(PROPOSE)), state="put off")
    study.tell(put_off)
    number, _ = study.ask(lambda *_: SPACE.encode(SPACE.seeds[0]))
    study.tell(replace(trained, number=number, duplicate_of=trained.number))
    study.remember(SETTINGS)
    weights = weights_path(run / "candidates", trained.architecture.key)
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    return run


def test_trials_and_weights_are_taken_but_for_what_was_put_off(earlier: Path, tmp_path: Path) -> None:
    study, weights = OptunaStudy(SPACE, "new", str(tmp_path / "new.journal"), 100.0), tmp_path / "candidates"
    assert take_trials(earlier, study, SPACE, weights) == 2
    first, second = study.trials
    _, (was, _, _) = recorded(str(earlier / "study.journal"))
    assert (first.architecture.key, first.measurement, first.state) == (
        was.architecture.key,
        was.measurement,
        "trained",
    )
    assert (second.number, second.duplicate_of) == (1, 0)
    assert weights_path(weights, was.architecture.key).read_bytes() == b"weights"


def test_other_conditions_are_named_and_another_sampler_is_none(earlier: Path) -> None:
    check_same(earlier, SETTINGS | {"sampler": "random"})
    with pytest.raises(InputError, match=r"the budget_ms of .* was 100.0 and is now 40.0; give the same flags"):
        check_same(earlier, SETTINGS | {"budget_ms": 40.0})


def test_another_scale_is_another_condition(earlier: Path) -> None:
    check_same(earlier, SETTINGS | {"scale": 4})
    with pytest.raises(InputError, match=r"the scale of .* was 4 and is now 2; give the same flags"):
        check_same(earlier, SETTINGS | {"scale": 2})


def test_folder_without_a_search_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds 0 studies, and one is wanted; name the folder of a search"):
        check_same(tmp_path, SETTINGS)
