"""A search's run.toml gives the search that it was written for."""

from pathlib import Path

import pytest

from nas.config.run_file import search_flags, write_search
from nas.config.search import SearchConfig
from nas.config.search_arguments import parse

TYPED = [
    [],
    ["--scale", "2"],
    ["--time-limit", "none", "--trials", "9", "--no-seeds", "--no-predictions", "--seed", "3"],
    ["--lr-size", "480x270", "--data", "a,b", "--val", "c", "--rivals", "ecbsr,span", "--out", "runs/a b",
     "--devices", "cuda:0,cuda:1"],
    ["--engine", "torch", "--dtype", "float16", "--teacher", "t.pth", "--distillation", "0.3", "--fidelity", "train",
     "--sampler", "nni", "--nni-tuner", "GP", "--storage", "sqlite:///a.db", "--study", "s", "--warm-start", "runs/b"],
]  # fmt: skip


@pytest.mark.parametrize("typed", TYPED)
def test_file_gives_back_the_config_that_it_was_written_for(typed: list[str], tmp_path: Path) -> None:
    config, _, _ = parse(["--budget-ms", "40", *typed])
    write_search(tmp_path / "run.toml", config)
    assert parse(["--config", str(tmp_path / "run.toml")]) == (config, False, None)


def test_password_of_a_database_is_not_written_down(tmp_path: Path) -> None:
    config = SearchConfig(budget_ms=40, storage="postgresql+psycopg://me:secret@host/studies")
    write_search(tmp_path / "run.toml", config)
    assert "secret" not in (tmp_path / "run.toml").read_text(encoding="utf-8")
    assert parse(["--config", str(tmp_path / "run.toml")])[0].storage == "postgresql+psycopg://me@host/studies"


def test_going_on_is_asked_for_anew(tmp_path: Path) -> None:
    write_search(tmp_path / "run.toml", SearchConfig(budget_ms=40, time_limit=90, resume=True))
    config, _, _ = parse(["--config", str(tmp_path / "run.toml")])
    assert not config.resume
    assert config.time_limit == 90
    assert parse(["--config", str(tmp_path / "run.toml"), "--resume"])[0].resume


def test_a_device_on_the_command_line_stands_in_place_of_several(tmp_path: Path) -> None:
    write_search(tmp_path / "run.toml", SearchConfig(budget_ms=40, devices="cuda:0,cuda:1"))
    config, _, _ = parse(["--config", str(tmp_path / "run.toml"), "--device", "cpu"])
    assert (config.device, config.devices) == ("cpu", None)


def test_every_flag_is_named() -> None:
    flags = search_flags(SearchConfig(budget_ms=40))
    assert flags["lr-size"] == "256x256"
    assert "resume" not in flags
