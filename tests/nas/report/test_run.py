"""A search is found by its folder, finished or not."""

from datetime import timedelta
from pathlib import Path

import pytest

from nas.optuna_backend.study import OptunaStudy
from nas.optuna_backend.times import trial_times
from nas.report.run import JOURNAL, Run, load_run, stamp_of
from nas.trial import Trial
from search_spaces import SPACES
from sr.errors import InputError


def test_a_search_is_read_while_it_goes_on(run: Run, tmp_path: Path) -> None:
    space, journal = SPACES["msrresnet"], tmp_path / JOURNAL
    study = OptunaStudy(space, "search", str(journal), 100.0)
    study.remember({**run.settings, "phase": "search"})
    number, architecture = study.ask(lambda _number, _trials: space.encode(space.seeds[0]))
    before = stamp_of(tmp_path)
    study.tell(Trial(number, architecture, "failed", None, "no memory"))
    assert stamp_of(tmp_path) != before
    read = load_run(tmp_path)
    assert read.is_going_on
    assert [each.reason for each in read.trials] == ["no memory"]
    assert read.conditions == run.conditions
    assert read.times[0] >= timedelta(0)
    assert read.began is not None


def test_a_folder_without_a_search_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder at"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds 0 studies"):
        load_run(tmp_path)
    assert trial_times(str(tmp_path / JOURNAL)) == (None, {})
