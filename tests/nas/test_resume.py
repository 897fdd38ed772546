"""A study that is begun, and one that goes on: with the settings that it was begun with."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.config.search import SearchConfig
from nas.evaluate import Setup
from nas.optuna_backend.study import OptunaStudy
from nas.resume import _check_settings, _settings_of, is_begun, open_study, teacher_of
from nas.study import Study
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError

Outcome = Callable[[int, Architecture], Trial]


def config_of(out: Path, **fields: Any) -> SearchConfig:
    return SearchConfig(**{"budget_ms": 60_000.0, "out": out, "device": "cpu", **fields})


def opened(config: SearchConfig, setup: Setup) -> tuple[Study, Setup]:
    return open_study(config, MSRRESNET_SPACE, setup, None, exists=is_begun(config))


def test_study_lies_in_the_folder_of_results_or_where_it_is_told_to(tmp_path: Path, setup: Setup) -> None:
    opened(config_of(tmp_path), setup)
    assert (tmp_path / "study.journal").exists()
    assert is_begun(config_of(tmp_path, resume=True))
    elsewhere = f"sqlite:///{tmp_path / 'a.db'}"
    opened(config_of(tmp_path, storage=elsewhere), setup)
    assert (tmp_path / "a.db").exists()
    assert is_begun(config_of(tmp_path / "other", storage=elsewhere, resume=True))


def test_beginning_and_going_on_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no study 'search' in .* to resume; leave --resume out"):
        is_begun(config_of(tmp_path, resume=True))
    assert not is_begun(config_of(tmp_path))
    # What a killed process leaves that did not come to say what it had begun is none.
    study = OptunaStudy(MSRRESNET_SPACE, "search", str(tmp_path / "study.journal"), 60_000.0)
    assert not is_begun(config_of(tmp_path))
    study.remember({"phase": "search"})
    assert is_begun(config_of(tmp_path, resume=True))
    with pytest.raises(InputError, match=r"is already in .*; go on with --resume, or name another --out"):
        is_begun(config_of(tmp_path))
    assert not is_begun(config_of(tmp_path, study="another"))


def test_new_study_remembers_its_settings_and_an_autotuned_recipe(tmp_path: Path, setup: Setup) -> None:
    config = config_of(tmp_path)
    open_recipe = replace(setup.recipe, precision="fastest", memory_format="fastest")
    study, tuned = opened(config, replace(setup, recipe=open_recipe))
    assert "fastest" not in (tuned.recipe.precision, tuned.recipe.memory_format)
    assert replace(tuned.recipe, precision="fastest", memory_format="fastest") == open_recipe
    assert study.settings == _settings_of(config, MSRRESNET_SPACE, tuned) | {"phase": "search"}


def test_study_that_does_not_say_what_it_was_begun_with_is_named(tmp_path: Path, setup: Setup) -> None:
    whole = opened(config_of(tmp_path), setup)[0].settings
    for number, (changed, said) in enumerate((
        ({"phase": "search"}, "'conditions'"),
        (whole | {"recipe": {"stepz": 4}}, "unexpected keyword argument 'stepz'"),
        (whole | {"pictures": 3}, "its pictures cannot be 3"),
    )):  # fmt: skip
        out = tmp_path / str(number)
        OptunaStudy(MSRRESNET_SPACE, "search", str(out / "study.journal"), 60_000.0).remember(changed)
        with pytest.raises(InputError, match=rf"does not say what it was begun with: .*{said}; take its copy"):
            opened(config_of(out, resume=True), setup)


def test_resumed_study_keeps_its_recipe(tmp_path: Path, setup: Setup) -> None:
    begun = replace(setup, recipe=replace(setup.recipe, memory_format="channels_last"))
    study, _ = opened(config_of(tmp_path), begun)
    # With another time limit, or on a busier device, this run would have found out something else.
    other = replace(setup, recipe=replace(setup.recipe, steps=99, precision="fastest", memory_format="fastest"))
    again, kept = opened(config_of(tmp_path, resume=True), other)
    assert kept == begun
    assert again.settings == study.settings
    # Unless other steps are asked for, which are not those of the study.
    with pytest.raises(InputError, match=r"its recipe was \{'steps': 4, .* and is now \{'steps': 99, "):
        opened(config_of(tmp_path, resume=True, trial_steps=99), other)


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"fidelity": "train"}, "fidelity"), ({"sampler": "random"}, "sampler"), ({"init": "supernet"}, "init")],
)
def test_resumed_study_of_other_flags_is_refused(
    fields: dict[str, str], name: str, tmp_path: Path, setup: Setup
) -> None:
    opened(config_of(tmp_path), setup)
    with pytest.raises(InputError, match=f"a resumed study keeps its settings, but its {name} was "):
        opened(config_of(tmp_path, resume=True, **fields), setup)


def test_resumed_study_of_another_target_or_budget_is_refused(tmp_path: Path, setup: Setup) -> None:
    opened(config_of(tmp_path), setup)
    with pytest.raises(InputError, match="its conditions was "):
        opened(config_of(tmp_path, resume=True), replace(setup, target=replace(setup.target, dtype="bfloat16")))
    with pytest.raises(InputError, match=r"its budget_ms was 60000\.0 and is now 50000\.0"):
        opened(config_of(tmp_path, resume=True), replace(setup, budget_ms=50_000.0))


def test_resumed_study_of_another_scale_is_refused_by_name(tmp_path: Path, setup: Setup, setup_at_x2: Setup) -> None:
    whole = opened(config_of(tmp_path), setup)[0].settings
    # Before there were other scales none was written down.
    early = OptunaStudy(MSRRESNET_SPACE, "search", str(tmp_path / "early" / "study.journal"), 60_000.0)
    early.remember({name: value for name, value in whole.items() if name != "scale"})
    opened(config_of(tmp_path / "early", resume=True), setup)
    space = MSRRESNET_SPACE.at_scale(2)
    with pytest.raises(InputError, match=r"keeps its settings, but its scale was 4 and is now 2; give the same flags"):
        open_study(config_of(tmp_path / "early", resume=True, scale=2), space, setup_at_x2, None, exists=True)
    there = config_of(tmp_path / "x2", scale=2)
    _, tuned = open_study(there, space, setup_at_x2, None, exists=False)
    assert tuned.recipe == setup_at_x2.recipe
    with pytest.raises(InputError, match="its scale was 2 and is now 4"):
        opened(config_of(tmp_path / "x2", resume=True), setup)


def test_study_of_a_process_that_was_killed_as_it_made_it_is_begun(
    tmp_path: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.resume._MAKING_SECONDS", 0.2)
    OptunaStudy(MSRRESNET_SPACE, "search", str(tmp_path / "study.journal"), 60_000.0)
    study, begun = opened(config_of(tmp_path), setup)
    assert begun == setup
    assert study.settings["phase"] == "search"


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_of_processes_that_begin_one_study_at_once_the_first_one_says_what_it_is(
    kind: str, tmp_path: Path, setup: Setup
) -> None:
    storage = str(tmp_path / "a.journal") if kind == "journal" else f"sqlite:///{tmp_path / 'a.db'}"
    config = config_of(tmp_path, storage=storage)
    made = OptunaStudy(MSRRESNET_SPACE, "search", storage, 60_000.0)
    with ThreadPoolExecutor(1) as threads:
        # Both asked before either had made it.
        other = threads.submit(open_study, config, MSRRESNET_SPACE, setup, None, exists=False)
        first = replace(setup, recipe=replace(setup.recipe, memory_format="channels_last"))
        made.remember(_settings_of(config, MSRRESNET_SPACE, first) | {"phase": "search"})
        study, taken = other.result()
    assert taken == first
    assert study.settings == made.settings


def test_warm_start_that_was_killed_goes_on_where_it_was(tmp_path: Path, setup: Setup, outcome: Outcome) -> None:
    earlier, space = config_of(tmp_path / "earlier"), MSRRESNET_SPACE
    source, _ = opened(earlier, setup)
    for seed in space.seeds[:3]:
        number, architecture = source.ask(lambda *_, seed=seed: space.encode(seed))  # type: ignore[misc]
        source.tell(replace(outcome(number, architecture), state="infeasible"))
    config = config_of(tmp_path / "new", warm_start=tmp_path / "earlier")

    def killed_after_one(study: Study, *_: object) -> None:
        number, architecture = study.ask(lambda *_: space.encode(space.seeds[0]))
        study.tell(replace(source.trials[0], number=number, architecture=architecture, seconds=0.0))
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.resume.take_trials", lambda _run, study, *rest: killed_after_one(study, *rest))
        with pytest.raises(KeyboardInterrupt):
            opened(config, setup)
    study, _ = opened(replace(config, resume=True), setup)
    assert [trial.architecture for trial in study.trials] == [trial.architecture for trial in source.trials]
    assert study.settings["phase"] == "search"


def test_settings_that_changed_are_named() -> None:
    kept = {"budget_ms": 40.0, "sampler": "mixed"}
    _check_settings(kept | {"phase": "training"}, kept)
    with pytest.raises(InputError, match=r"its budget_ms was 40\.0 and is now 50\.0; give the same flags"):
        _check_settings(kept, kept | {"budget_ms": 50.0})
    with pytest.raises(InputError, match="its fidelity was None and is now train"):
        _check_settings(kept, kept | {"fidelity": "train"})


def test_teacher_is_read_from_its_checkpoint(tmp_path: Path) -> None:
    assert teacher_of(config_of(tmp_path)) is None
    architecture = repeated(8, "branched_conv", 1)
    network = build(architecture)
    save(tmp_path / "teacher.pth", Checkpoint(Description("searched", architecture.to_json()), network.state_dict()))
    teacher = teacher_of(config_of(tmp_path, teacher=tmp_path / "teacher.pth"))
    assert teacher is not None
    weights = teacher.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    with pytest.raises(InputError, match=r"--teacher takes a network of the scale that is searched, x2, and .* of x4"):
        teacher_of(config_of(tmp_path, teacher=tmp_path / "teacher.pth", scale=2))
    with pytest.raises(InputError, match=r"/nosuch/teacher\.pth"):
        teacher_of(config_of(tmp_path, teacher="/nosuch/teacher.pth"))
