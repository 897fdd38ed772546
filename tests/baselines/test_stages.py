"""Stages of a training, and the recipes that they become."""

import pytest

from baselines.stages import DEFAULT, HALVED, L2_STAGE, YARDSTICK, Stage


def test_a_stage_without_changes_is_the_default() -> None:
    recipe = Stage().recipe(1000, {})
    assert recipe.steps == 1000
    assert {name: getattr(recipe, name) for name in DEFAULT} == DEFAULT


def test_a_share_is_of_all_steps_and_at_least_one() -> None:
    assert [Stage(share).recipe(1000, {}).steps for share in (0.9, 0.1, 0.0001)] == [900, 100, 1]


@pytest.mark.parametrize(("changes", "field", "value"), [(HALVED, "schedule", "step"), (L2_STAGE, "loss", "l2")])
def test_changes_win_over_the_default(changes: dict[str, object], field: str, value: str) -> None:
    assert getattr(Stage(1.0, changes).recipe(10, {}), field) == value


def test_overrides_win_over_changes() -> None:
    stage = Stage(1.0, {**L2_STAGE, "batch": 64, "patch": 64})
    recipe = stage.recipe(10, {"batch": 2, "patch": 8, "seed": 5})
    assert (recipe.batch, recipe.patch, recipe.seed, recipe.loss) == (2, 8, 5, "l2")


def test_yardstick_is_one_stage_at_one_rate():
    (stage,) = YARDSTICK
    recipe = stage.recipe(1000, {})
    assert (recipe.steps, recipe.loss, recipe.batch, recipe.patch, recipe.ema_decay) == (1000, "l1", 32, 64, 0.999)
    assert recipe.learning_rate_at(100) == recipe.learning_rate_at(999) == 5e-4
