"""How much memory is left."""

import pytest
import torch

from sr.memory import ASSUMED_FREE_BYTES, free_bytes


def test_the_cpu_has_some_memory_left_and_less_than_any_machine_has() -> None:
    assert 2**20 < free_bytes() < 2**50
    assert free_bytes("cpu") > 0
    assert ASSUMED_FREE_BYTES > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_has_less_left_than_in_all() -> None:
    free, total = free_bytes("cuda:0"), torch.cuda.get_device_properties(0).total_memory
    assert 0 < free <= total
