"""Ratios of runtimes by pairs of runs, of scripted runners."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from prune.runtime_ratio import BesideDense

CPU = torch.device("cpu")


@dataclass
class Scripted:
    """A runner that takes what is written down."""

    times_ms: Sequence[float]
    taken: list[float] = field(default_factory=list)
    precision: str = "float32"

    def run_ms(self, *_: Tensor) -> float:
        self.taken.append(self.times_ms[len(self.taken)])
        return self.taken[-1]

    def execute(self) -> None:
        raise AssertionError("not asked for")

    def run(self, *_: Tensor) -> Tensor:
        raise AssertionError("not asked for")

    def peak_memory(self) -> int:
        return 0


def test_each_pair_is_a_ratio_and_the_first_pays_for_setting_up() -> None:
    dense, slim = Scripted([1000.0, 10.0, 20.0, 30.0]), Scripted([7.0, 5.0, 8.0, 15.0])
    assert BesideDense(dense, (slim,), CPU).ratios(3) == pytest.approx([0.5, 0.4, 0.5])


def test_the_faster_memory_format_counts() -> None:
    dense = Scripted([10.0] * 4)
    slow, fast = Scripted([6.0] * 4), Scripted([9.0, 4.0, 4.0, 7.0])
    assert BesideDense(dense, (slow, fast), CPU).ratios(3) == pytest.approx([0.4, 0.4, 0.7])
