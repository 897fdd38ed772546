"""A study that is begun, or taken up again with the settings that it was begun with."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from nas.config.search import SearchConfig
from nas.evaluate import Setup
from nas.optuna_backend.storage import has_study
from nas.optuna_backend.stored import check_settings
from nas.optuna_backend.study import OptunaStudy
from nas.settings import setting
from nas.study import Study
from nas.warm_start import check_same, earlier_recipe, take_trials
from search_spaces.network import build
from search_spaces.space import SearchSpace
from sr.addresses import without_password
from sr.checkpoint import load, load_network
from sr.constraints import AUTO
from sr.errors import InputError
from sr.training.autotune import autotune
from sr.training.recipe import Recipe
from sr.waiting import waiting_for

# The phase of a study that has not taken all trials of an earlier one yet; under the same key, which one.
_WARM_START = "warm start"
# Between making a study and saying what it is lies no work: who has not done so by then was killed.
_MAKING_SECONDS, _LOOK_SECONDS = 5.0, 0.1


def is_begun(config: SearchConfig) -> bool:
    """Return whether the study is there already; raises InputError where that does not go with `config.resume`."""
    exists, where = has_study(_storage(config), config.study), without_password(_storage(config))
    if exists and not config.resume:
        raise InputError(
            f"the study {config.study!r} is already in {where}; go on with --resume, or name another --out"
        )
    if config.resume and not exists:
        raise InputError(f"there is no study {config.study!r} in {where} to resume; leave --resume out to start one")
    return exists


def open_study(
    config: SearchConfig, space: SearchSpace, setup: Setup, teacher: nn.Module | None, *, exists: bool
) -> tuple[Study, Setup]:
    """Open a new study, or the one that is there, with its setup.

    Args:
        config: What was asked for.
        space: What is searched.
        setup: As `config` has it, its recipe open in precision and memory format.
        teacher: The network to distil from.
        exists: What `is_begun` returned.

    Returns:
        The study, and the setup with the recipe that all of its candidates are trained by.

    Raises:
        InputError: Where the study was begun with other settings.
    """
    if exists:
        study = OptunaStudy(space, config.study, _storage(config), setup.budget_ms)
        return study, _taken_up(config, space, setup, study)
    # One for all: candidates that train in other precisions do not compare.
    if config.warm_start is None:
        recipe = autotune(
            build(setup.trainable_reference), setup.recipe, setup.train, setup.target.device, teacher=teacher
        )
    else:
        recipe = earlier_recipe(Path(config.warm_start), setup)
    begun = replace(setup, recipe=recipe)
    settings = _settings_of(config, space, begun)
    if config.warm_start is not None:
        check_same(Path(config.warm_start), settings)
    study = OptunaStudy(space, config.study, _storage(config), setup.budget_ms)
    if not study.is_new and _is_begun_by_another(study):
        return study, _taken_up(config, space, setup, study)
    # What a study is comes first: one that is killed from here on goes on.
    if config.warm_start is None:
        study.remember(settings | {"phase": "search"})
    else:
        study.remember(settings | {"phase": _WARM_START, _WARM_START: str(config.warm_start)})
        _warm_up(config, space, study)
    return study, begun


def _taken_up(config: SearchConfig, space: SearchSpace, setup: Setup, study: Study) -> Setup:
    """Return the setup with what a study was begun with; raises InputError where that was with other settings."""
    _check_kept(config, study)
    # As it was found out by the first run, whose time limit and device may have told other things.
    was = Recipe(**study.settings["recipe"])
    steps = setup.recipe.steps if config.trial_steps is not None else was.steps
    recipe = replace(setup.recipe, steps=steps, precision=was.precision, memory_format=was.memory_format)
    setup = replace(setup, recipe=recipe)
    if config.engine == AUTO:
        # As the first run found it, whatever is installed by now.
        setup = replace(setup, target=setup.target.in_engine(study.settings["conditions"]["engine"]))
    if setup.node is not None:
        setup.node.check_was(study.settings["conditions"])
    _check_settings(study.settings, _settings_of(config, space, setup))
    if study.settings["phase"] == _WARM_START:
        _warm_up(config, space, study)
    return setup


def _check_kept(config: SearchConfig, study: Study) -> None:
    """Raise InputError where a study does not say, or not in this version's words, what it was begun with."""
    try:
        check_settings(study.settings)
        engine = study.settings["conditions"]["engine"]
        _ = Recipe(**study.settings["recipe"]), study.settings["phase"], engine
    except (KeyError, TypeError, ValueError) as error:
        where = without_password(_storage(config))
        raise InputError(
            f"{where} holds a study that does not say what it was begun with: {error}; take its copy, or another --out"
        ) from error


def _warm_up(config: SearchConfig, space: SearchSpace, study: Study) -> None:
    """Take the trials of the earlier search that a study was begun with, those that are left of them."""
    take_trials(Path(study.settings[_WARM_START]), study, space, Path(config.out) / "candidates")
    study.remember({"phase": "search"})


def _is_begun_by_another(study: Study) -> bool:
    """Wait where another process makes the study at this moment; return whether it did, and was not killed."""
    known, since = -1, time.monotonic()
    with waiting_for("another process, which makes the study"):
        while time.monotonic() - since < _MAKING_SECONDS:
            settings = study.settings
            if settings and settings["phase"] != _WARM_START:
                return True
            trials = study.count()
            if trials != known:
                # It is at work.
                known, since = trials, time.monotonic()
            time.sleep(_LOOK_SECONDS)
    return bool(study.settings)


def teacher_of(config: SearchConfig) -> nn.Module | None:
    """Return the network to distil from, None without one; raises InputError where the file is none of the scale."""
    if config.teacher is None:
        return None
    path = Path(config.teacher)
    scale = load(path).description.scale
    if scale != config.scale:
        raise InputError(
            f"--teacher takes a network of the scale that is searched, x{config.scale}, and {path} is one of x{scale}; "
            f"give --scale {scale}, or another teacher"
        )
    return load_network(path)


def _settings_of(config: SearchConfig, space: SearchSpace, setup: Setup) -> dict[str, Any]:
    """Return what must not change within a study: results of different conditions never stand on one front."""
    place = asdict(setup.conditions)
    return {
        "space": space.name,
        "scale": space.scale,
        "budget_ms": setup.budget_ms,
        "conditions": place | {"lr_size": list(setup.target.lr_size)},
        "recipe": asdict(setup.recipe),
        "pictures": {name: dict(each) for name, each in setup.pictures.items()},
        "fidelity": config.fidelity,
        "init": "supernet" if config.starts_from_supernet else "scratch",
        "sampler": config.sampler,
    }


def _check_settings(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise InputError where a resumed study was begun with other settings."""
    for name, value in wanted.items():
        was = setting(kept, name)
        if was != value:
            raise InputError(
                f"a resumed study keeps its settings, but its {name} was {was} and is now {value}; "
                f"give the same flags, or start a new study"
            )


def _storage(config: SearchConfig) -> str:
    """Return where the study is kept."""
    return config.storage or str(Path(config.out) / "study.journal")
