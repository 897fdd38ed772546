"""The tables of a search."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nas.report import COLUMNS, row, tally, write_tables
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


def test_every_value_of_a_row_has_a_column(outcome: Outcome) -> None:
    assert set(row(outcome(0, repeated(8, "idle", 1)))) == set(COLUMNS)


def test_the_tally_counts_each_network_once(outcome: Outcome) -> None:
    first = outcome(0, repeated(8, "idle", 1))
    line = tally([first, replace(first, number=1, duplicate_of=0), outcome(2, MSRRESNET)])
    assert "2 tried, 1 trained, 1 over the budget and never trained, 0 failed; 1 repeated" in line
