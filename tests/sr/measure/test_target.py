"""Targets: what a network is measured for, and what tells two machines apart."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE
from sr.measure import target as module
from sr.measure.target import Target, parse_device, parse_devices
from sr.progress import Message

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


@pytest.fixture
def _anew() -> Iterator[None]:
    """Forget which device auto was."""
    module._once.cache_clear()
    yield
    module._once.cache_clear()


@pytest.mark.usefixtures("_anew")
def test_auto_is_the_roomiest_gpu_and_says_so_and_stays_it(cuda: Any) -> None:
    cuda.free, told = [2**30, 3 * 2**30], list[object]()
    assert parse_device("auto", told.append) == torch.device("cuda", 1)
    assert [each.text for each in told if isinstance(each, Message)] == [
        "device cuda:1: of 2 GPUs the one with the most free memory, 3.0 GiB"
    ]
    cuda.free = [2**30, 0]
    assert parse_device("auto") == torch.device("cuda", 1)


@pytest.mark.usefixtures("_anew")
def test_auto_is_the_cpu_where_torch_has_no_kernels_for_the_gpus(cuda: Any) -> None:
    cuda.compiled, told = ["sm_120"], list[object]()
    assert parse_device("auto", told.append) == CPU
    assert "no kernels for the 2 GPUs here" in str(told[0])


def test_apple_gpu_that_is_not_there_is_refused() -> None:
    if torch.backends.mps.is_available():
        pytest.skip("it is there")
    with pytest.raises(InputError, match="--device mps: this machine has no GPU of Apple's"):
        parse_device("mps")


@pytest.mark.usefixtures("cuda")
def test_several_devices_are_different_gpus() -> None:
    assert parse_devices("cuda:0, cuda:1") == (torch.device("cuda", 0), torch.device("cuda", 1))
    assert parse_devices("cpu") == (CPU,)
    with pytest.raises(InputError, match="--devices names each device once, got 'cuda,cuda:0'"):
        parse_devices("cuda,cuda:0")
    with pytest.raises(InputError, match="one device or several of cuda:N"):
        parse_devices("cpu,cuda:0")


@pytest.mark.usefixtures("cuda")
def test_conditions_of_a_gpu_say_how_it_is_set_and_how_networks_are_launched() -> None:
    target = Target(torch.device("cuda", 0))
    here = target.conditions
    assert here.device == "a GPU (16 GiB, 64 multiprocessors)"
    assert "TF32 off" in here.driver
    assert "in CUDA graphs where they can be captured" in here.driver
    assert replace(target, execution="eager").conditions != here
    # Equal models have equal conditions, and the processor only launches.
    assert Target(torch.device("cuda", 1)).conditions == here
    assert here.threads == 1


def test_conditions_of_a_cpu_do_not_depend_on_the_execution() -> None:
    assert Target(CPU, execution="eager").conditions == Target(CPU).conditions
    with pytest.raises(InputError, match="the execution of a target is one of auto, eager, graph, got 'lazy'"):
        Target(CPU, execution="lazy")
