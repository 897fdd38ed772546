"""What is kept of a training, and what makes it another one."""

from dataclasses import replace
from typing import Any

import pytest

from baselines.league.entries import Entry, of_size
from baselines.league.record import Result, lineage, path_of, read, read_result, results_of, write_result
from baselines.league.setup import Setup
from sr.errors import InputError
from sr.measure.quality import Quality

RESULT = Result(4, 0, 1e-3, 2.5, {"one": Quality(25.0, 27.0, 0.7, 1)}, unsolved="a clip follows")


def test_a_result_is_read_as_it_was_written(by_hand: Entry, setup: Setup) -> None:
    path = path_of(by_hand, 4, 0, setup)
    assert read_result(path) is None
    write_result(path, by_hand, RESULT)
    assert read_result(path) == RESULT
    assert read(path)["title"] == by_hand.title


def test_results_of_all_lengths_and_seeds_are_found_in_order(by_hand: Entry, searched: Entry, setup: Setup) -> None:
    for steps, seed in ((16, 0), (4, 1), (4, 0)):
        write_result(path_of(by_hand, steps, seed, setup), by_hand, replace(RESULT, steps=steps, seed=seed))
    assert [(each.steps, each.seed) for each in results_of(by_hand, setup)] == [(4, 0), (4, 1), (16, 0)]
    assert results_of(searched, setup) == []


@pytest.mark.parametrize("changes", [{"batch": 3}, {"loss": "l2"}, {"clip_norm": 1.0}, {"solve_output": False}])
def test_another_recipe_is_another_lineage(by_hand: Entry, setup: Setup, changes: dict[str, Any]) -> None:
    assert lineage(by_hand, replace(setup, recipe=replace(setup.recipe, **changes))) != lineage(by_hand, setup)


def test_length_seed_and_budget_are_of_the_same_lineage(by_hand: Entry, setup: Setup) -> None:
    other = replace(setup, recipe=replace(setup.recipe, steps=16, seed=3), budget_ms=1.0, val={})
    assert lineage(by_hand, other) == lineage(by_hand, setup)


def test_other_pictures_networks_and_rates_are_another_lineage(by_hand: Entry, searched: Entry, setup: Setup) -> None:
    fewer = replace(setup, train=setup.train.centre_crops(24, 2))
    found = {lineage(by_hand, setup), lineage(by_hand, fewer), lineage(searched, setup)}
    assert len(found | {lineage(by_hand, replace(setup, rates=(1e-3,)))}) == 4


def test_another_scale_is_another_lineage(setup: Setup, setup_at_x2: Setup) -> None:
    usual, other = (of_size("ecbsr", {"num_feat": 8, "num_block": 1, **scale}) for scale in ({}, {"scale": 2}))
    assert lineage(usual, setup) != lineage(other, setup_at_x2)
    assert "scale" not in usual.identity["config"]


@pytest.mark.parametrize("content", ["{", "{}", '{"result": {"steps": 4}}', '{"result": 3}'])
def test_a_broken_file_is_refused_with_what_to_do(by_hand: Entry, setup: Setup, content: str) -> None:
    path = path_of(by_hand, 4, 0, setup)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(InputError, match="remove it"):
        read_result(path)
