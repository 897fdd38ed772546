"""Every engine's way to say that memory does not suffice."""

import pytest
import torch

from sr.errors import InputError
from sr.memory_errors import is_out_of_memory

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
