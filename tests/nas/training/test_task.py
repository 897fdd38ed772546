"""A piece of training as a value: what goes together."""

from pathlib import Path

import pytest

from nas.training.task import TrainingTask
from search_spaces.msrresnet import repeated
from sr.errors import InputError
from sr.training.recipe import Recipe

TINY = repeated(8, "branched_conv", 1)


def test_teacher_without_distillation_and_the_other_way_round_are_refused() -> None:
    with pytest.raises(InputError, match=r"got 0.5 and no teacher"):
        TrainingTask(TINY, Recipe(steps=4, distillation=0.5))
    with pytest.raises(InputError, match=r"got 0.0 and teacher.pth"):
        TrainingTask(TINY, Recipe(steps=4), teacher=Path("teacher.pth"))
