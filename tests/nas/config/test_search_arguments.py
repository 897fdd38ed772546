"""The flags of a search: the config that they make, and what is no value of theirs."""

from dataclasses import fields
from pathlib import Path

import pytest

from nas.config.search import SearchConfig
from nas.config.search_arguments import parse
from sr.errors import InputError

BUDGET = ["--budget-ms", "40"]


def test_defaults_are_those_of_the_config() -> None:
    assert parse(BUDGET) == (SearchConfig(budget_ms=40.0), False, None)


def test_every_field_has_its_flag() -> None:
    given = {
        "budget_ms": 40.0, "space": "neptuneai", "scale": 2, "lr_size": (24, 32), "dtype": "float16",
        "engine": "onnxruntime", "batch": 3, "patch": 5,
        "data": Path("some"), "val": Path("others"), "device": "auto",
        "devices": "cuda:0", "execution": "graph", "seed": 7, "out": Path("out"),
        "time_limit": 120.0, "trials": 5, "trial_steps": 64, "train_steps": 6, "fidelity": "train",
        "init": "supernet", "sampler": "nni", "nni_tuner": "GP", "teacher": Path("teacher.pth"), "distillation": 0.25,
        "workers": 2, "patience": 9, "study": "mine", "storage": "sqlite:///a.db", "resume": True,
            "cluster": "ray://head:10001", "artifacts": Path("shared"),
        "rivals": ("ecbsr", "span"), "warm_start": Path("earlier"), "use_seeds": False, "use_predictions": False,
    }  # fmt: skip
    assert set(given) == {field.name for field in fields(SearchConfig)}
    texts = given | {"lr_size": "32x24", "time_limit": "2m", "rivals": "ecbsr,span"}
    flags = [part for name, value in texts.items() if not isinstance(value, bool) for part in (flag(name), str(value))]
    config, dry_run, json_path = parse(
        [*flags, "--resume", "--no-seeds", "--no-predictions", "--dry-run", "--json", "figures.json"]
    )
    assert config == SearchConfig(**given)  # type: ignore[arg-type]
    assert (dry_run, json_path) == (True, Path("figures.json"))


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--distillation", "0.5"], "--distillation over 0 and --teacher CKPT go together"),
        (["--teacher", "a.pth", "--distillation", "0"], "go together"),
        (["--distillation", "1.5"], "--distillation must be within 0 and 1, got 1.5"),
        (["--distillation", "nan"], "--distillation must be within 0 and 1, got nan"),
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--patience", "0"], "--patience must be at least 1, got 0"),
        (["--trial-steps", "-3"], "--trial-steps must be at least 1, got -3"),
        (["--train-steps", "0"], "--train-steps must be at least 1, got 0"),
        (["--scale", "8"], "--scale is one of 2, 3, 4, got 8"),
        (["--fidelity", "guess"], "invalid choice"),
        (["--sampler", "luck"], "invalid choice"),
        (["--nni-tuner", "Metis"], "invalid choice"),
        (["--time-limit", "soon"], "--time-limit is a duration over zero"),
    ],
)
def test_flag_that_breaks_a_constraint_is_named(flags: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse([*BUDGET, *flags])
