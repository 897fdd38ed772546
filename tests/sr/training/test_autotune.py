"""What is fastest is chosen, and nothing else changes."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sr.data.pairs import Pairs
from sr.memory_format import MEMORY_FORMATS
from sr.training.autotune import _precisions_for, autotune, available_precisions, seconds_per_step
from sr.training.recipe import PRECISIONS, Recipe

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
AUTOTUNED = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")
Make = Callable[..., nn.Module]
Equal = Callable[[Any, Any], bool]


@pytest.mark.parametrize("precision", ["fastest", *PRECISIONS])
@pytest.mark.parametrize("memory_format", ["fastest", *MEMORY_FORMATS])
def test_autotuning_picks_what_is_allowed_and_changes_nothing(
    tiny: Make, pairs: Pairs, equal: Equal, precision: str, memory_format: str
) -> None:
    recipe = replace(AUTOTUNED, precision=precision, memory_format=memory_format)
    network = tiny()
    before = copy.deepcopy(network.state_dict())
    autotuned = autotune(network, recipe, pairs, CPU)
    seconds = seconds_per_step(network, autotuned, pairs, CPU)
    assert autotuned.precision in (available_precisions(CPU) if precision == "fastest" else [precision])
    assert autotuned.memory_format in (MEMORY_FORMATS if memory_format == "fastest" else [memory_format])
    assert replace(autotuned, precision=precision, memory_format=memory_format) == recipe
    assert seconds > 0
    assert equal(network.state_dict(), before)
    assert [tensor.stride() for tensor in network.state_dict().values()] == [t.stride() for t in before.values()]
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


class Clock:
    """A clock that goes on when told; all copies of a network share it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def __deepcopy__(self, _memo: object) -> "Clock":
        return self


class HeldUp(nn.Module):
    """Slow in float32 at every call, in bfloat16 at its second one alone, and then much more so."""

    def __init__(self, clock: Clock, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.clock, self.calls = clock, 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        if not torch.is_autocast_enabled("cpu"):
            self.clock.now += 0.05
        else:
            self.clock.now += 0.3 if self.calls == 2 else 0.04
        return self.body(lr)


def test_a_step_that_was_held_up_does_not_decide_what_is_fastest(tiny: Make, pairs: Pairs) -> None:
    clock = Clock()
    network, recipe = HeldUp(clock, tiny()), replace(AUTOTUNED, precision="fastest")
    assert autotune(network, recipe, pairs, CPU, clock=clock).precision == "bfloat16"
    assert network.calls == 0


class NoRoom(nn.Module):
    """Has no room in some precision."""

    def __init__(self, body: nn.Module, *, anywhere: bool) -> None:
        super().__init__()
        self.body, self.anywhere = body, anywhere

    def forward(self, lr: Tensor) -> Tensor:
        if self.anywhere or not torch.is_autocast_enabled("cpu"):
            raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
        return self.body(lr)


def test_option_that_has_no_room_is_none_to_take(tiny: Make, pairs: Pairs) -> None:
    recipe = replace(AUTOTUNED, precision="fastest")
    assert autotune(NoRoom(tiny(), anywhere=False), recipe, pairs, CPU).precision == "bfloat16"
    with pytest.raises(torch.OutOfMemoryError, match="out of memory on cpu in each precision"):
        autotune(NoRoom(tiny(), anywhere=True), recipe, pairs, CPU)


def test_gpu_without_bfloat16_trains_in_float16_whichever_is_current(cuda: Any) -> None:
    cuda.capability = [(8, 0), (7, 5)]
    assert available_precisions(torch.device("cuda", 1)) == ["float32", "float16"]
    assert available_precisions(torch.device("cuda", 0)) == ["float32", "bfloat16"]


def test_network_that_reads_its_gradients_is_not_trained_in_float16(cuda: Any, tiny: Make, gated: Make) -> None:
    cuda.capability = [(7, 5), (7, 5)]
    assert _precisions_for(tiny(), torch.device("cuda", 0)) == ["float32", "float16"]
    assert _precisions_for(gated(), torch.device("cuda", 0)) == ["float32"]
