import itertools
import math
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.training.recipe import Recipe


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch": -1}, "batch must be at least 1, got -1"),
        ({"patch": 0}, "patch must be at least 1"),
        ({"loss": "gan"}, "loss is one of l1, l1_gradient, charbonnier, l2, got 'gan'"),
        ({"optimiser": "sgd"}, "optimiser is one of adam, adamw"),
        ({"schedule": "never"}, "schedule is one of cosine, step, constant"),
        ({"precision": "float8"}, "precision is one of fastest, float32, bfloat16, float16"),
        ({"memory_format": "rows"}, "memory_format is one of fastest, contiguous, channels_last"),
        ({"learning_rate": -1e-3}, "learning_rate must be at least 0 and finite"),
        ({"learning_rate": math.nan}, "learning_rate must be at least 0 and finite"),
        ({"clip_norm": -1.0}, "clip_norm must be at least 0"),
        ({"warmup_steps": -1}, "warmup_steps must be at least 0"),
        ({"weight_decay": math.inf}, "weight_decay must be at least 0 and finite"),
        ({"ema_decay": 1.0}, "ema_decay must be less than 1"),
        ({"distillation": 1.5}, "distillation must be from 0 to 1, got 1.5"),
        ({"distillation": -0.5}, "distillation must be from 0 to 1"),
        ({"distillation": math.nan}, "distillation must be from 0 to 1"),
    ],
)
def test_a_recipe_keeps_its_constraints(values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(ValueError, match=constraint):
        Recipe(**({"steps": 10} | values))


def test_a_recipe_comes_back_from_its_values() -> None:
    recipe = Recipe(steps=12, batch=2, loss="l2", schedule="step", seed=2**40, distillation=0.5, solve_output=True)
    assert Recipe(**asdict(recipe)) == recipe


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # Two steps of warm-up, ten of the schedule: half of the cosine is over at step 7.
        ("cosine", {0: 0.5, 1: 1.0, 2: 1.0, 7: 0.55, 12: 0.1}),
        ("step", {0: 0.5, 1: 1.0, 2: 1.0, 3: 1.0, 4: 0.5, 5: 0.5, 6: 0.25, 8: 0.125, 11: 0.0625}),
        ("constant", {0: 0.5, 1: 1.0, 2: 1.0, 11: 1.0}),
        ("triangular", {0: 0.5, 1: 1.0, 2: 0.1, 3: 0.28, 6: 0.82, 7: 1.0, 8: 0.82, 11: 0.28, 12: 0.1}),
    ],
)
def test_learning_rates_by_hand(schedule: Any, expected: dict[int, float]) -> None:
    recipe = Recipe(steps=12, learning_rate=1.0, minimum_learning_rate=0.1, schedule=schedule, warmup_steps=2)
    assert {step: recipe.learning_rate_at(step) for step in expected} == pytest.approx(expected)


@given(st.integers(1, 60), st.integers(0, 80), st.sampled_from(["cosine", "step", "constant"]))
def test_learning_rates_rise_then_fall(steps: int, warmup_steps: int, schedule: Any) -> None:
    recipe = Recipe(steps=steps, warmup_steps=warmup_steps, schedule=schedule)
    rates = [recipe.learning_rate_at(step) for step in range(steps)]
    assert all(0 < rate <= recipe.learning_rate for rate in rates)
    assert rates[:warmup_steps] == sorted(rates[:warmup_steps])
    assert rates[warmup_steps:] == sorted(rates[warmup_steps:], reverse=True)


@given(st.integers(1, 60), st.integers(0, 20), st.floats(0.0, 1e-3))
def test_the_triangle_is_even_with_its_ends_and_its_apex(half: int, warmup_steps: int, low: float) -> None:
    steps = warmup_steps + 2 * half
    recipe = Recipe(steps, schedule="triangular", warmup_steps=warmup_steps, minimum_learning_rate=low)
    rates = [recipe.learning_rate_at(step) for step in range(warmup_steps, steps + 1)]
    assert rates == pytest.approx(rates[::-1])
    assert (rates[0], rates[half]) == pytest.approx((low, recipe.learning_rate))
    rises = [after - before for before, after in itertools.pairwise(rates[: half + 1])]
    assert rises == pytest.approx([(recipe.learning_rate - low) / half] * half)


def test_beta2_is_adams_or_rises_in_stages_to_it() -> None:
    plain, rising = Recipe(steps=10), Recipe(steps=10, rising_beta2=True)
    assert {plain.beta2_at(step) for step in (0, 100, 10**6)} == {0.999}
    by_step = {step: rising.beta2_at(step) for step in (0, 126, 127, 254, 255, 4094, 4095, 10**6)}
    # By Adafactor's formula after 64, 128, 256, 2,048 and 4,096 steps; from 8,192 on it would be above Adam's.
    assert by_step == pytest.approx({
        0: 0.964103, 126: 0.964103, 127: 0.979382, 254: 0.979382, 255: 0.988158, 4094: 0.997757, 4095: 0.998711,
        10**6: 0.999,
    }, abs=1e-6)  # fmt: skip
