"""Ours beside networks designed by hand: what compares, and how each of them is trained."""

import shlex
from dataclasses import replace

import pytest

from baselines.at_budget import sizes_of, title_of
from baselines.registry import BASELINES
from baselines.train import parse
from nas.report.ending import Ending
from nas.report.rivals import rivals_section, size_words, train_command
from nas.report.run import Run


def with_ending(run: Run, **changes: object) -> Run:
    assert run.ending is not None
    return replace(run, ending=replace(run.ending, **changes))


@pytest.fixture
def ending(run: Run) -> Ending:
    assert run.ending is not None
    return run.ending


def test_table_has_ours_all_that_stood_beside_it_and_bicubic(run: Run) -> None:
    shown = rivals_section(run)
    assert [line.split("</td>")[0].rpartition(">")[2] for line in shown.split("<tr")[2:]] == [
        "ours", "rfdn", "ecbsr", "bicubic interpolation",
    ]  # fmt: skip
    assert "judged on all 3 validation pictures; the others were timed alone." in shown


def test_runtimes_that_compare_are_those_of_the_same_rounds(run: Run, ending: Ending) -> None:
    assert "(ours in rounds of its own)" in rivals_section(run)
    slower = replace(ending.measurement, runtime=replace(ending.measurement.runtime, median_ms=98.76), quality=None)
    shown = rivals_section(with_ending(run, beside=slower))
    assert "with the others and with ours" in shown
    assert "<td>98.8</td>" in shown
    assert '"ms":98.76' in shown


def test_network_over_the_budget_is_said_to_be(run: Run) -> None:
    assert "ms in these rounds" not in rivals_section(run)
    small = replace(run, settings={**run.settings, "budget_ms": 1e-3})
    assert "16 channels; over 0.001 ms in these rounds</td>" in rivals_section(small)


def test_networks_that_were_timed_alone_are_said_to_be_and_have_no_plot(run: Run) -> None:
    shown = rivals_section(with_ending(run, rival_quality={}))
    assert "They were timed and not trained" in shown
    assert "<figure" not in shown


def test_nothing_stands_beside_what_goes_on_or_has_no_rival(run: Run) -> None:
    assert rivals_section(replace(run, ending=None)) == ""
    assert "No hand-designed family" in rivals_section(with_ending(run, rivals={}, rival_quality={}))
    assert "was not kept" in rivals_section(with_ending(run, rivals=None, rival_quality={}))


def test_size_is_said_in_words() -> None:
    assert size_words("ecbsr num_feat=16 num_block=1") == "16 channels, 1 block"
    assert size_words("rlfn num_feat=8 mid_feat=4") == "8 channels, mid_feat 4"
    assert size_words("of a record that another program wrote num_feat=many").endswith("num_feat many")
    assert size_words("") == ""


@pytest.mark.parametrize("name", [name for name, entry in BASELINES.items() if entry.scaled_by])
def test_command_trains_the_size_that_the_title_names(name: str) -> None:
    scale = BASELINES[name].scales[0]
    config = sizes_of(name, scale)[-1]
    command = train_command(title_of(name, config), scale)
    asked = parse(shlex.split(command)[3:])
    assert (asked.name, asked.scale) == (name, scale)
    assert asked.config == {key: value for key, value in config.items() if key != "scale"}
