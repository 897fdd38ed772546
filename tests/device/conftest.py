"""A GPU for those who have none: the meta device, on which nothing is computed, under a mode that watches placement.

CUDA refuses an operator whose tensors lie on different devices, with exceptions that the mode knows. What waits for a
number from the device gets one.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import portalocker
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sr.data.pairs import Pairs, pack
from sr.measure.device_lock import lock_file

META = torch.device("meta")
# These bring tensors from one device to another.
_COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
# These ask and name, and launch nothing.
_NO_WORK = {torch.ops.aten.detach.default, torch.ops.aten._has_compatible_shallow_copy_type.default}
# Their indices may lie on the CPU, as CUDA has it.
_INDEXED = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}


class OneDevice(TorchDispatchMode):
    """Refuses an operator whose tensors lie on different devices, as CUDA does.

    Args:
        on_device: Is called before each operator that works on the meta device.
        strict: Whether the CPU's tensors are refused too where an operator has them alone: work between launches.
    """

    def __init__(self, on_device: Callable[[], None] | None = None, *, strict: bool = False) -> None:
        super().__init__()
        self._on_device, self._strict = on_device, strict

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        found = {each.device.type for each in tensors if each.device.type != "cpu" or each.dim() > 0}
        if func in _INDEXED:
            found = {args[0].device.type}
        made_there = torch.device(kwargs.get("device") or "cpu").type == "meta"
        if func in _NO_WORK:
            return func(*args, **kwargs)
        if func not in _COPIES and len(found) > 1:
            raise AssertionError(f"{func} has tensors on {sorted(found)}: CUDA would refuse it")
        if self._strict and any(each.device.type == "cpu" for each in tensors):
            raise AssertionError(f"{func} works on the CPU between launches")
        if self._on_device is not None and ("meta" in found or made_there):
            self._on_device()
        return func(*args, **kwargs)


class Answers(TorchFunctionMode):
    """Answers what is read from the meta device: a GPU would give a number, and meta has none."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        subject = args[0] if args else None
        if isinstance(subject, Tensor) and subject.is_meta:
            if func in (Tensor.item, Tensor.__float__):
                return 0.5
            if func is Tensor.__bool__:
                return True
            to_cpu = func is Tensor.cpu or (
                func is Tensor.to and any(str(each) == "cpu" for each in (*args[1:], kwargs.get("device")))
            )
            if to_cpu:
                return torch.zeros(subject.shape, dtype=subject.dtype)
        return func(*args, **kwargs)


@pytest.fixture
def _as_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meta has neither fused optimisers nor autocast."""
    for name, made in {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.items():
        monkeypatch.setitem(
            __import__("sr.training.trainer", fromlist=["OPTIMISERS"]).OPTIMISERS,
            name,
            lambda parameters, *, made=made, fused, **options: made(parameters, **options),  # noqa: ARG005
        )
    monkeypatch.setattr(torch, "autocast", lambda *_args, **_options: contextlib.nullcontext())


@pytest.fixture
def gpu(_as_cuda: None) -> Iterator[torch.device]:
    """Return a device that is no CPU, with the mode that watches it in force."""
    with Answers(), OneDevice():
        yield META


@pytest.fixture
def strictly() -> Callable[[], OneDevice]:
    """Return what makes a mode that refuses all work on the CPU."""
    return partial(OneDevice, strict=True)


@pytest.fixture
def locked_gpu(_as_cuda: None) -> Iterator[torch.device]:
    """Return such a device on which nothing may be done but by who holds its lock."""

    def held() -> None:
        with lock_file(META, "use") as handle:
            try:
                portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except portalocker.LockException:
                return
            portalocker.unlock(handle)
        raise AssertionError("work on the device outside its lock, perhaps beside somebody's measurement")

    with Answers(), OneDevice(held):
        yield META


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    """Return two small pairs of noise on the CPU."""
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((18, 24), (20, 16))]
    return Pairs(
        ("first", "second"), pack(lr), pack([each.repeat_interleave(4, 0).repeat_interleave(4, 1) for each in lr])
    )
