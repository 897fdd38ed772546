"""The tables of a search."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from nas.report.tables import table, write_tables
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET, repeated

Outcome = Callable[..., Trial]


def promoted(trial: Trial, *psnr: float) -> Trial:
    return replace(trial, rungs=tuple(Rung(4**index, value, 1.0) for index, value in enumerate(psnr)))


def test_value_that_was_not_measured_is_empty(tmp_path: Path, outcome: Outcome) -> None:
    trials = [
        outcome(0, repeated(8, "idle", 1)),
        outcome(1, MSRRESNET),
        Trial(2, repeated(8, "idle", 3), "failed", None, "the loss is nan before step 20"),
    ]
    write_tables(tmp_path, trials[::-1])
    written = pd.read_csv(tmp_path / "trials.csv")
    assert tuple(written.columns) == tuple(table(trials).columns)
    assert written["number"].tolist() == [0, 1, 2]
    assert written["psnr"].isna().tolist() == [False, True, True]
    assert written["runtime_ms"].isna().tolist() == [False, False, True]
    assert written["convs"][1] == 37
    assert written["reason"][2] == "the loss is nan before step 20"
    assert pd.read_csv(tmp_path / "front.csv")["number"].tolist() == [0]


def test_columns_of_the_tables_are_those_that_were_promised() -> None:
    assert table([]).columns.tolist() == [
        "number", "state", "psnr", "psnr_y", "last_psnr", "last_steps",
        "runtime_ms", "runtime_p10", "runtime_p90", "runs", "reliable", "reference_ms", "calm_ms",
        "activations", "multi_adds", "challenge_flops", "params", "convs", "memory", "memory_format", "seconds",
        "duplicate_of", "reason", "key", "summary", "architecture",
    ]  # fmt: skip


def test_row_of_a_trained_candidate_has_a_value_in_every_column(outcome: Outcome) -> None:
    known = replace(outcome(5, repeated(8, "idle", 1)), duplicate_of=3, reason="the loss is nan", calm_ms=2.5)
    trial = promoted(known, 25.0, 26.0)
    (row,) = table([trial]).to_dict("records")
    assert not pd.Series(row).isna().any()
    assert (row["last_psnr"], row["last_steps"], row["duplicate_of"]) == (26.0, 4, 3)
