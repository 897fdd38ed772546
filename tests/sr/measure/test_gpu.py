"""Which GPU it is, and how it is set, by a recorder of what torch.cuda is asked."""

from typing import Any

import pytest
import torch

from sr.measure.device_lock import measuring_on, training_on
from sr.measure.gpu import current, describe, has_bfloat16, has_kernels, roomiest, uuid_of

FIRST, SECOND = torch.device("cuda", 0), torch.device("cuda", 1)


def test_device_that_is_not_the_first_is_current_meanwhile(cuda: Any) -> None:
    with current(SECOND):
        assert cuda.current == 1
    assert cuda.current == 0
    with current(torch.device("cpu")):
        assert cuda.current == 0


@pytest.mark.parametrize("lock", [training_on, measuring_on])
def test_device_that_is_held_is_the_current_one(cuda: Any, lock: type[training_on]) -> None:
    with lock(SECOND):
        assert cuda.current == 1
    assert cuda.current == 0


@pytest.mark.usefixtures("cuda")
def test_float32_is_true_float32_on_a_gpu() -> None:
    with current(FIRST):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32


def test_bfloat16_is_that_of_the_device_asked_for_whichever_is_current(cuda: Any) -> None:
    cuda.capability = [(8, 6), (7, 5)]
    assert has_bfloat16(FIRST)
    assert not has_bfloat16(SECOND)


@pytest.mark.usefixtures("cuda")
def test_twins_have_numbers_of_their_own_and_one_description() -> None:
    assert uuid_of(FIRST) != uuid_of(SECOND)
    assert describe(FIRST) == describe(SECOND) == "a GPU (16 GiB, 64 multiprocessors)"


def test_roomiest_has_the_most_free_memory_of_those_with_kernels(cuda: Any) -> None:
    cuda.free = [1, 2]
    assert roomiest() == SECOND
    cuda.capability = [(8, 0), (5, 2)]
    assert roomiest() == FIRST
    cuda.compiled = ["sm_120"]
    assert roomiest() is None


@pytest.mark.parametrize(
    ("capability", "compiled", "expected"),
    [
        ((8, 6), ["sm_80"], True),
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_80", "sm_86"], False),
        ((9, 0), ["sm_80", "compute_80"], True),
        ((9, 0), ["sm_90a"], True),
        ((9, 2), ["sm_90a"], False),
        ((12, 0), ["sm_100", "sm_120"], True),
        ((7, 5), ["sm_80", "compute_90"], False),
        ((7, 5), [], False),
    ],
)
def test_kernels_run_where_cuda_says_so(capability: tuple[int, int], compiled: list[str], expected: bool) -> None:
    assert has_kernels(capability, compiled) is expected
