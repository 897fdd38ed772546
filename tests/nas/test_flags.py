"""The flags of a search: their defaults, and what does not go together."""

import math
from pathlib import Path

import pytest

from nas.course import TRAINED_RUNGS
from nas.flags import DEFAULT_QUALITY, parse, time_limit
from nas.nni_engine import require_nni
from nas.schedule import DEFAULT_SECONDS
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError

BUDGET = ["--budget-ms", "40"]


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    architecture = repeated(8, "branched_conv", 1)
    path = tmp_path / "teacher.pth"
    save(path, Checkpoint(Description("searched", architecture.to_json()), build(architecture).state_dict()))
    return path


def has_nni() -> bool:
    try:
        require_nni()
    except InputError:
        return False
    return True


def test_the_defaults() -> None:
    args = parse(BUDGET)
    assert (args.quality, args.init, args.engine) == (DEFAULT_QUALITY, "scratch", "mixed")
    assert (args.distillation, args.teacher, args.crew, args.trials) == (0.0, None, None, None)
    assert args.given == BUDGET


@pytest.mark.parametrize("quality", list(TRAINED_RUNGS))
def test_trainings_start_from_the_supernet_where_there_is_one(quality: str) -> None:
    assert parse([*BUDGET, "--quality", quality]).init == ("supernet" if quality == "supernet" else "scratch")
    assert parse([*BUDGET, "--quality", quality, "--init", "supernet"]).init == "supernet"


def test_a_time_limit_is_the_default_where_trials_are_not_counted() -> None:
    assert time_limit(parse(BUDGET)) == DEFAULT_SECONDS
    assert time_limit(parse([*BUDGET, "--trials", "5"])) == math.inf
    assert time_limit(parse([*BUDGET, "--trials", "5", "--time-limit", "2m"])) == 120.0


def test_a_teacher_gives_half_where_nothing_else_is_said(teacher: Path) -> None:
    assert parse([*BUDGET, "--teacher", str(teacher)]).distillation == 0.5
    assert parse([*BUDGET, "--teacher", str(teacher), "--distillation", "0.2"]).distillation == 0.2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--distillation", "0.5"], "--distillation over 0 and --teacher CKPT go together"),
        (["--distillation", "1.5"], "--distillation must be within 0 and 1, got 1.5"),
        (["--distillation", "nan"], "--distillation must be within 0 and 1, got nan"),
        (["--teacher", "/nosuch/teacher.pth"], "/nosuch/teacher.pth"),
        (["--crew", "0"], "--crew must be at least 1, got 0"),
        (["--patience", "0"], "--patience must be at least 1, got 0"),
        (["--trial-steps", "-3"], "--trial-steps must be at least 1, got -3"),
        (["--train-steps", "0"], "--train-steps must be at least 1, got 0"),
        (["--quality", "guess"], "invalid choice"),
        (["--engine", "luck"], "invalid choice"),
    ],
)
def test_what_breaks_a_law_is_named(flags: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse([*BUDGET, *flags])


def test_a_teacher_without_a_share_is_refused(teacher: Path) -> None:
    with pytest.raises(InputError, match="go together"):
        parse([*BUDGET, "--teacher", str(teacher), "--distillation", "0"])


@pytest.mark.skipif(has_nni(), reason="nni is here")
def test_an_engine_that_is_not_installed_is_named_at_once() -> None:
    with pytest.raises(InputError, match="the engine nni needs the package nni"):
        parse([*BUDGET, "--engine", "nni"])
