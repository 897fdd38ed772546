"""One network measured on this device."""

import copy

import torch
from torch import nn

from sr.checkpoint import one_line
from sr.constraints import AUTO, ENGINE_NAMES
from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE
from sr.measure.engine_choice import with_engine
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement
from sr.measure.measurement import measure as measure_all
from sr.measure.target import Target


def measure(
    network: nn.Module,
    target: Target | None = None,
    protocol: Protocol = Protocol(),
    *,
    engine: str | None = None,
) -> Measurement:
    """Count a network and measure its runtime, alone on the device and in its deployed form.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w) for a whole scale s; left as it is.
        target: What it is measured on; by default 256x256 LR in float32 on the GPU where there is one, else the CPU.
        protocol: How long and how often it is timed; by default for a second.
        engine: What runs it: onnxruntime, openvino, tensorrt, torch or torch-compile; or auto, the fastest that is
            installed of those that run what is shipped, which is found out once per device. By default that of the
            target, auto where none is given.

    Returns:
        Parameters, multiply-adds, activations, convolutions and memory; the runtime with its spread and the precision
        that really ran; and the conditions that it was measured under, the engine among them. Without quality.

    Raises:
        InputError: Where the network maps pictures to something else, or the engine is not installed or cannot run it.
        torch.OutOfMemoryError: Where it does not fit into a GPU's memory.
    """
    if target is not None and not isinstance(target, Target):
        raise InputError(f"a network is measured on a Target, got {target!r}; Target.of makes one")
    if engine is not None and engine not in (AUTO, *ENGINE_NAMES):
        raise InputError(f"an engine is one of {AUTO}, {', '.join(ENGINE_NAMES)}; got {engine!r}")
    _check_shapes(network)
    asked = engine or (AUTO if target is None else target.engine)
    return measure_all({"network": network}, with_engine(target or Target.of(), asked), protocol)["network"]


def _check_shapes(network: nn.Module) -> None:
    """Raise InputError where a small picture does not become one of the same shape times a whole number."""
    mapping = "a network here maps (n, 3, h, w) to (n, 3, s*h, s*w)"
    if not isinstance(network, nn.Module):
        raise InputError(f"{mapping}, got {network!r}")
    # A copy: running it in training mode would change the statistics of batch norm.
    copied = copy.deepcopy(network).eval()
    first = next(copied.parameters(), torch.zeros(()))
    height, width = SMALLEST_SIDE, SMALLEST_SIDE + 8
    try:
        with torch.inference_mode():
            sr = copied(torch.rand(1, 3, height, width, dtype=first.dtype, device=first.device))
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{mapping}, but fails for (1, 3, {height}, {width}): {one_line(error)}") from error
    scale = sr.shape[-1] // width if isinstance(sr, torch.Tensor) and sr.ndim == 4 else 0
    if scale < 1 or tuple(sr.shape) != (1, 3, scale * height, scale * width):
        became = tuple(sr.shape) if isinstance(sr, torch.Tensor) else type(sr).__name__
        raise InputError(f"{mapping}, but (1, 3, {height}, {width}) became {became}")
