"""What the end of a search came to outlives it."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from nas.evaluate import Setup
from nas.finalize import Chosen, Finalist
from nas.report.ending import keep_ending, read_ending
from nas.report.run import Run
from sr.errors import InputError
from sr.files import write_json


@pytest.fixture
def chosen(run: Run, setup: Setup) -> Chosen:
    ending = run.ending
    assert ending is not None
    assert ending.rivals is not None
    trial = next(each for each in run.trials if each.number == ending.number)
    finalist = Finalist(trial, ending.measurement, ending.rivals)
    write_json(run.folder / "chosen" / "architecture.json", ending.architecture.to_json())
    more = {"bicubic": asdict(ending.bicubic), "engines": {name: asdict(each) for name, each in ending.engines.items()}}
    write_json(run.folder / "chosen" / "measurement.json", ending.measurement.to_json() | more)
    return Chosen(finalist, setup.recipe, ending.measurement, ending.bicubic, ending.engines, calm_p90_ms=12.5,
                  rival_quality=ending.rival_quality)  # fmt: skip


def test_an_ending_is_read_as_it_was_kept(run: Run, chosen: Chosen) -> None:
    kept = keep_ending(run.folder, chosen)
    read = read_ending(run.folder, run.settings)
    assert read is not None
    assert kept.ended is not None
    assert read == replace(kept, ended=kept.ended.replace(microsecond=0))


@pytest.mark.parametrize("was_calm", [True, False])
def test_an_ending_of_an_older_version_says_only_whether_the_device_was_calm(
    run: Run, chosen: Chosen, was_calm: bool
) -> None:
    keep_ending(run.folder, chosen)
    path = run.folder / "ending.json"
    kept = json.loads(path.read_text())
    del kept["calm_p90_ms"]
    path.write_text(json.dumps({**kept, "was_calm": was_calm}))
    read = read_ending(run.folder, run.settings)
    assert read is not None
    assert read.calm_p90_ms == (None if was_calm else math.inf)


def test_an_ending_of_an_older_version_has_no_rivals(run: Run, chosen: Chosen) -> None:
    read = read_ending(run.folder, run.settings)
    assert read is not None
    assert (read.number, read.rivals, read.ended) == (chosen.trial.number, None, None)


@pytest.mark.usefixtures("chosen")
def test_a_search_that_trains_the_chosen_network_has_not_ended(run: Run) -> None:
    assert read_ending(run.folder, {**run.settings, "phase": "training"}) is None


@pytest.mark.usefixtures("chosen")
def test_a_file_that_no_search_leaves_is_named(run: Run) -> None:
    path: Path = run.folder / "ending.json"
    path.write_text(json.dumps({"chosen": 1}))
    with pytest.raises(InputError, match=r"ending\.json is not what a search left there"):
        read_ending(run.folder, run.settings)
