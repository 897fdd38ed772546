"""How much memory is left."""

from typing import Any

import pytest
import torch

from sr.errors import InputError
from sr.memory import ASSUMED_FREE_BYTES, fits, free_bytes, is_out_of_memory


def test_the_cpu_has_some_memory_left_and_less_than_any_machine_has() -> None:
    assert 2**20 < free_bytes() < 2**50
    assert free_bytes("cpu") > 0
    assert ASSUMED_FREE_BYTES > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_has_less_left_than_in_all() -> None:
    free, total = free_bytes("cuda:0"), torch.cuda.get_device_properties(0).total_memory
    assert 0 < free <= total


def test_what_the_allocator_keeps_unused_is_free(cuda: Any) -> None:
    cuda.free, cuda.reserved, cuda.allocated = [7, 100], 50, 20
    assert free_bytes("cuda:1") == 100 + 30


def test_half_precision_takes_half_of_the_memory_on_a_gpu(cuda: Any) -> None:
    cuda.free = [100, 100]
    device = torch.device("cuda", 0)
    assert not fits(150, device)
    assert fits(150, device, "float16")
    assert not fits(150, device, "int8")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        # As torch.AcceleratorError says it, and cuDNN and cuBLAS.
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_lack_of_memory_is_known_by_what_each_library_says(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


SAID = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "412316860416 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
    "bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 9437184000",
    "Available memory of 12 is smaller than requested bytes of 1024",
    "std::bad_alloc",
    "tensorrt has no room for this network: OutOfMemory",
)


@pytest.mark.parametrize("text", SAID)
def test_an_engine_says_so(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))


def test_it_is_seen_through_the_error_that_was_raised_from_it() -> None:
    outer = InputError("onnxruntime cannot run this network: cut off")
    outer.__cause__ = RuntimeError(SAID[2])
    assert is_out_of_memory(outer)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError())


@pytest.mark.parametrize("text", ["", "Got invalid dimensions for input: lr", "a bug"])
def test_other_errors_say_something_else(text: str) -> None:
    assert not is_out_of_memory(RuntimeError(text))


def test_torch_says_it_as_we_expect() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
