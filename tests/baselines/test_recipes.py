"""Recipes of the papers."""

import pytest

from baselines import BASELINES
from baselines.recipes import RECIPES, TRAINING_FORMS, stages_of


@pytest.mark.parametrize("name", BASELINES)
def test_the_shares_of_every_training_are_the_whole(name: str) -> None:
    stages = stages_of(name)
    assert sum(stage.share for stage in stages) == pytest.approx(1)
    recipes = [stage.recipe(1000, {}) for stage in stages]
    assert sum(recipe.steps for recipe in recipes) == 1000
    assert all(recipe.learning_rate > 0 for recipe in recipes)


def test_flags_win_over_papers() -> None:
    for stage in stages_of("rfdn"):
        recipe = stage.recipe(10, {"batch": 2, "patch": 8, "seed": 5})
        assert (recipe.batch, recipe.patch, recipe.seed) == (2, 8, 5)
    assert [stage.recipe(10, {}).loss for stage in stages_of("rfdn")] == ["l1", "l2"]
    assert stages_of("gcsr")[0].recipe(10, {}).loss == "l1_gradient"


def test_recipes_and_training_forms_are_of_baselines() -> None:
    assert set(RECIPES) <= set(BASELINES)
    assert set(TRAINING_FORMS) <= set(BASELINES)
