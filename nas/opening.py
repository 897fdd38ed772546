"""A study that is begun, or taken up again with the settings that it was begun with."""

import argparse
import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from torch import nn

from nas.engine import Proposer, Terms
from nas.evaluate import Setup
from nas.foresight import Foresight
from nas.optuna_engine import OptunaEngine, has_study
from search_spaces.network import build
from search_spaces.space import SearchSpace
from sr.checkpoint import load_network
from sr.errors import InputError
from sr.files import write_text
from sr.latency import conditions
from sr.recipe import Recipe
from sr.settling import settle


def storage_of(args: argparse.Namespace) -> str:
    """Return where the study is kept."""
    return args.storage or str(args.out / "study.journal")


def is_begun(args: argparse.Namespace) -> bool:
    """Tell whether the study is there already.

    Raises InputError where that does not go with --resume, and where the results cannot be written.
    """
    storage = storage_of(args)
    exists = has_study(storage, args.study)
    if exists and not args.resume:
        raise InputError(
            f"the study {args.study!r} is already in {storage}; go on with --resume, or name another --out"
        )
    if args.resume and not exists:
        raise InputError(f"there is no study {args.study!r} in {storage} to resume; leave --resume out to start one")
    # Proves now, not after hours, that the results can be written.
    write_text(args.out / "command.txt", shlex.join(["python", "-m", "nas.search", *args.given]) + "\n")
    return exists


def open_engine(
    args: argparse.Namespace,
    space: SearchSpace,
    setup: Setup,
    proposer: Callable[[Terms], Proposer],
    foresight: Foresight,
    *,
    exists: bool,
) -> tuple[OptunaEngine, Setup]:
    """Open a new study, or the one that is there and its setup; raises InputError where its settings were others."""
    engine = OptunaEngine(
        space, args.study, storage_of(args), args.seed, setup.budget_ms,
        proposer=proposer, promising=foresight.promising, hope=foresight.hope,
    )  # fmt: skip
    if exists:
        # As it was found out by the first run, whose time limit and device may have told other things.
        was = Recipe(**engine.settings["recipe"])
        steps = setup.recipe.steps if args.trial_steps is not None else was.steps
        settled = replace(setup.recipe, steps=steps, precision=was.precision, memory_format=was.memory_format)
        setup = replace(setup, recipe=settled)
        foresight.setup = setup
        check_settings(engine.settings, settings_of(args, space, setup))
    else:
        # One for all: candidates that train in other precisions do not compare.
        settled = settle(build(setup.reference), setup.recipe, setup.train, setup.device, teacher=teacher_of(args))
        setup = replace(setup, recipe=settled)
        engine.remember(settings_of(args, space, setup) | {"phase": "search"})
    return engine, setup


def teacher_of(args: argparse.Namespace) -> nn.Module | None:
    """Return the network to distil from, None without one."""
    return None if args.teacher is None else load_network(args.teacher)


def settings_of(args: argparse.Namespace, space: SearchSpace, setup: Setup) -> dict[str, Any]:
    """Return what must not change within a study: results of different conditions never stand on one front."""
    return {
        "space": space.name,
        "budget_ms": setup.budget_ms,
        "conditions": {**asdict(conditions(setup.device, setup.lr_size, setup.dtype)), "lr_size": list(setup.lr_size)},
        "recipe": asdict(setup.recipe),
        "pictures": [len(setup.train), *setup.val.names],
        "quality": args.quality,
        "init": args.init,
        "engine": args.engine,
    }


def check_settings(kept: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise InputError where a resumed study was begun with other settings."""
    for name, value in wanted.items():
        if kept.get(name) != value:
            raise InputError(
                f"a resumed study keeps its settings, but its {name} was {kept.get(name)} and is now {value}; "
                f"give the same flags, or start a new study"
            )
