"""The recipe of networks whose own is unknown."""

from baselines.parts.yardstick import YARDSTICK


def test_it_is_one_stage_at_one_rate():
    (stage,) = YARDSTICK
    recipe = stage.recipe(1000, {})
    assert (recipe.steps, recipe.loss, recipe.batch, recipe.patch, recipe.ema_decay) == (1000, "l1", 32, 64, 0.999)
    assert recipe.learning_rate_at(100) == recipe.learning_rate_at(999) == 5e-4
