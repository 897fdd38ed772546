"""The recipes of ticks and tocks."""

import pytest

from prune.scoring.schedule import Schedule


@pytest.mark.parametrize("name", ["rounds", "tick_steps", "tock_steps", "batch", "patch"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_schedule_keeps_its_constraints(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
        Schedule(**{name: value})


def test_ticks_are_constant_and_tocks_rise_and_fall() -> None:
    schedule = Schedule(tick_steps=7, tock_steps=11, learning_rate=1e-2, tick_learning_rate=1e-5, distillation=0.5)
    tick, tock = schedule.tick(3), schedule.tock(3)
    assert (tick.steps, tick.schedule, tick.learning_rate, tick.distillation) == (7, "constant", 1e-5, 0.0)
    assert (tock.steps, tock.schedule, tock.learning_rate, tock.distillation) == (11, "triangular", 1e-2, 0.5)
    assert tock.minimum_learning_rate == pytest.approx(1e-3)
    seeds = [recipe(number).seed for number in range(4) for recipe in (schedule.tick, schedule.tock)]
    assert len(set(seeds)) == 8
