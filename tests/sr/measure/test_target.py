"""Targets: what a network is measured for, and what tells two machines apart."""

from dataclasses import replace

import pytest
import torch

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE
from sr.measure.target import Target, parse_device

CPU = torch.device("cpu")


def test_a_target_by_the_name_of_its_device() -> None:
    assert Target.of("cpu", (16, 24), "bfloat16") == Target(CPU, (16, 24), "bfloat16")
    assert Target.of().device == parse_device("auto")
    assert (Target.of().lr_size, Target.of().dtype) == ((256, 256), "float32")


@pytest.mark.parametrize("dtype", ["int3", "", "float64"])
def test_an_unknown_dtype_is_refused(dtype: str) -> None:
    with pytest.raises(InputError, match=f"the dtype of a target is one of .*float32.*, got '{dtype}'"):
        Target(CPU, dtype=dtype)


@pytest.mark.parametrize("size", [(SMALLEST_SIDE - 1, 64), (64, 0), (64,), (64, 64, 64), (16.5, 24)])
def test_what_is_no_lr_size_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=rf"each a whole number from {SMALLEST_SIDE}; got \({size[0]}"):
        Target(CPU, size)  # type: ignore[arg-type]


def test_conditions_tell_devices_and_settings_apart() -> None:
    target = Target(CPU, (16, 16))
    here = target.conditions
    assert here == Target(CPU, (16, 16)).conditions
    assert here != replace(target, lr_size=(16, 32)).conditions
    assert here != replace(target, dtype="bfloat16").conditions
    assert "cores" in here.device
    assert torch.__version__ in here.versions
    assert here.threads == torch.get_num_threads()


def test_devices_that_are_there() -> None:
    assert parse_device("cpu") == CPU
    assert parse_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("text", ["gpu", "", "tpu:0", "cuda:x", "meta"])
def test_what_is_no_device_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--device must be auto, cpu, cuda or cuda:N"):
        parse_device(text)


def test_a_cuda_device_too_many_is_refused() -> None:
    there = torch.cuda.device_count()
    with pytest.raises(InputError, match=f"this machine has {there} CUDA devices"):
        parse_device(f"cuda:{there}")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_no_cuda_is_an_input_error() -> None:
    with pytest.raises(InputError, match="use --device cpu or auto"):
        parse_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_is_the_first_one() -> None:
    assert parse_device("cuda") == parse_device("cuda:0") == torch.device("cuda", 0)
    assert "CUDA" in Target(torch.device("cuda", 0)).conditions.driver


def test_device_by_its_name_is_refused_with_what_takes_one() -> None:
    with pytest.raises(InputError, match=r"device is a torch\.device, got 'cpu'; Target\.of takes its name"):
        Target("cpu")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--device must be auto, cpu, cuda or cuda:N, got None"):
        Target.of(None)  # type: ignore[arg-type]
