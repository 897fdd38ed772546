"""A search is found by its folder, finished or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nas.optuna_backend.study import OptunaStudy
from nas.optuna_backend.times import TrialTimes, trial_times
from nas.report.run import JOURNAL, Run, load_run, stamp_of
from nas.report.sentences import facts, how
from nas.trial import Trial
from search_spaces import SPACES
from sr.errors import InputError


def test_a_search_is_read_while_it_goes_on(run: Run, tmp_path: Path) -> None:
    space, journal = SPACES["msrresnet"], tmp_path / JOURNAL
    study = OptunaStudy(space, "search", str(journal), 100.0)
    study.remember({**run.settings, "phase": "search", "workers": 3})
    number, architecture = study.ask(lambda _number, _trials: space.encode(space.seeds[0]))
    before = stamp_of(tmp_path)
    assert load_run(tmp_path).worked_on.in_hand == 1
    study.tell(Trial(number, architecture, "failed", None, "no memory"))
    assert stamp_of(tmp_path) != before
    read = load_run(tmp_path)
    assert read.is_going_on
    assert [each.reason for each in read.trials] == ["no memory"]
    assert read.conditions == run.conditions
    assert read.worked_on.ended[0] >= timedelta(0)
    assert read.worked_on.began is not None
    assert read.worked_on.in_hand == 0


def test_running_search_shows_what_is_in_hand_and_its_pace(run: Run) -> None:
    ended = {number: timedelta(minutes=number + 1) for number in range(6)}
    going_on = replace(
        run, ending=None, settings={**run.settings, "phase": "search", "workers": 3},
        worked_on=TrialTimes(datetime(2026, 1, 1, tzinfo=UTC), ended, 2),
    )  # fmt: skip
    shown = {name: value for value, name in facts(going_on)}
    assert (shown["in hand"], shown["trainings at once"], shown["candidates an hour"]) == ("2", "3", "60")
    assert "6 m 00 s on candidates; 60 candidates an hour" in dict(how(going_on))["time"]
    # A search that ended without a network has nothing in hand.
    ended_without = replace(going_on, settings={**going_on.settings, "phase": "done"})
    assert "in hand" not in {name for _, name in facts(ended_without)}


def test_a_folder_without_a_search_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder at"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds 0 studies"):
        load_run(tmp_path)
    assert trial_times(str(tmp_path / JOURNAL)) == TrialTimes()
