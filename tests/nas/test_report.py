"""The tables of a search."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nas.course import course
from nas.evaluate import Setup
from nas.report import COLUMNS, first_rung, row, tally, write_tables
from nas.rungs import Rung
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET, repeated

Outcome = Callable[..., Trial]


def test_what_was_not_measured_is_empty(tmp_path: Path, outcome: Outcome) -> None:
    trials = [
        outcome(0, repeated(8, "idle", 1)),
        outcome(1, MSRRESNET),
        Trial(2, repeated(8, "idle", 3), "failed", None, "the loss is nan before step 20"),
    ]
    write_tables(tmp_path, trials[::-1])
    table = pd.read_csv(tmp_path / "trials.csv")
    assert tuple(table.columns) == COLUMNS
    assert table["number"].tolist() == [0, 1, 2]
    assert table["psnr"].isna().tolist() == [False, True, True]
    assert table["runtime_ms"].isna().tolist() == [False, False, True]
    assert table["convs"][1] == 37
    assert table["reason"][2] == "the loss is nan before step 20"
    assert pd.read_csv(tmp_path / "front.csv")["number"].tolist() == [0]


def climbed(trial: Trial, *psnr: float) -> Trial:
    return replace(trial, rungs=tuple(Rung(4**index, value, 1.0) for index, value in enumerate(psnr)))


def test_every_value_of_a_row_has_a_column(outcome: Outcome) -> None:
    line = row(climbed(outcome(0, repeated(8, "idle", 1)), 25.0, 26.0))
    assert set(line) == set(COLUMNS)
    assert (line["last_psnr"], line["last_steps"]) == (26.0, 4)


def test_the_tally_counts_each_network_once(setup: Setup, tmp_path: Path, outcome: Outcome) -> None:
    first, over = outcome(0, repeated(8, "idle", 1)), outcome(2, MSRRESNET)
    line = tally([first, replace(first, number=1, duplicate_of=0), over], course("train", setup, tmp_path))
    assert "2 tried, 1 trained, 1 over the budget and never trained, 0 failed; 1 repeated" in line


def test_the_tally_counts_who_went_on_to_each_rung(setup: Setup, tmp_path: Path, outcome: Outcome) -> None:
    rungs = course("rungs", replace(setup, recipe=replace(setup.recipe, steps=64)), tmp_path)
    trials = [
        climbed(outcome(number, repeated(8, "idle", number + 1)), *psnr)
        for number, psnr in enumerate(((25.0,), (25.0, 26.0), (25.0, 26.0, 27.0)))
    ]
    assert "3 trained, 2 went on to 16 steps, 1 went on to 64 steps, 0 over" in tally(trials, rungs)
    assert first_rung(rungs) == "after the same 4 steps"
    scored = course("supernet", setup, tmp_path)
    assert "3 scored, 2 went on to 4 steps, 0 over" in tally(trials, scored)
    assert first_rung(scored) == "with the weights that it inherits from the supernet"
