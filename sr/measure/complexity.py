"""What a network costs by counting: parameters, multiply-adds, activations, convolutions, memory.

Everything is counted on the deployed form with meta tensors: shapes flow, nothing is computed, and a 256x256 forward
takes milliseconds.
"""

import copy
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from sr.deployment import deploy
from sr.lr_size import LrSize

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
# The activation modules that the challenge's counter charges one operation per output element. Functional calls and
# every other activation are invisible to it.
_CHARGED_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ReLU6, nn.ELU)


@dataclass(frozen=True)
class Complexity:
    """Counts for one LR image.

    Attributes:
        params: Elements of all parameters.
        multi_adds: Multiply-accumulates of convolutions and matrix products, by operator.
        challenge_flops: The FLOPs column of the AIM 2020 report: multiply-accumulates of convolution modules, plus one
            per output element of ReLU-family modules and two of affine batch norm.
        activations: Elements of all outputs of convolution modules.
        convs: Calls of convolution modules.
        memory: Bytes of parameters, input and of the tensors alive at the peak of an eager fp32 forward.
    """

    params: int
    multi_adds: int
    challenge_flops: int
    activations: int
    convs: int
    memory: int


def count(network: nn.Module, lr_size: LrSize = (256, 256), *, fold: bool = True) -> Complexity:
    """Count what a network costs for one LR image.

    Args:
        network: Maps (n, 3, h, w) to whatever; left as it is.
        lr_size: Height and width of the image.
        fold: Whether its deployed form is counted; otherwise the form that it is in, as the challenge counted batch
            norm and weight norm.

    Returns:
        The counts.
    """
    deployed = (deploy(network) if fold else copy.deepcopy(network).eval()).to("meta", torch.float32)
    lr = torch.empty(1, 3, *lr_size, device="meta")
    calls = ModuleCalls(deployed)
    operators = FlopCounterMode(display=False)
    with torch.no_grad(), operators:
        deployed(lr)
    calls.remove()
    held = [*deployed.parameters(), *deployed.buffers(), lr]
    with torch.no_grad(), _PeakMemory() as peak:
        deployed(lr)
    return Complexity(
        params=sum(parameter.numel() for parameter in deployed.parameters()),
        multi_adds=operators.get_total_flops() // 2,
        challenge_flops=calls.flops,
        activations=calls.activations,
        convs=calls.convs,
        memory=sum(tensor.nbytes for tensor in held) + peak.bytes,
    )


class ModuleCalls:
    """Hooks that add up the challenge's figures for every call of a module that its counter knows."""

    def __init__(self, network: nn.Module) -> None:
        self.flops = self.activations = self.convs = 0
        self._handles = [
            module.register_forward_hook(self._called) for module in network.modules() if not list(module.children())
        ]

    def _called(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:  # noqa: ANN401 - torch's hook
        """Charge one call."""
        if isinstance(module, CONVOLUTIONS):
            self.convs += 1
            self.activations += output.numel()
            kernel = module.kernel_size[0] * module.kernel_size[1]
            self.flops += kernel * (module.in_channels // module.groups) * output.numel()
        elif isinstance(module, _CHARGED_ACTIVATIONS):
            self.flops += output.numel()
        elif isinstance(module, nn.BatchNorm2d):
            self.flops += output.numel() * (2 if module.affine else 1)
        elif isinstance(module, nn.Linear):
            self.flops += inputs[0].shape[0] * module.in_features * module.out_features

    def remove(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()


class _PeakMemory(TorchDispatchMode):
    """Follows the storages that operators make until they are freed; `bytes` is the peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves(args) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and id(leaf.untyped_storage()) not in given:
                self._follow(leaf)
        return result

    def _follow(self, tensor: Tensor) -> None:
        """Count the storage of `tensor` as alive until it is freed."""
        storage = tensor.untyped_storage()
        if id(storage) in self._alive:
            return
        self._alive[id(storage)] = storage.nbytes()
        weakref.finalize(storage, self._alive.pop, id(storage))
        self.bytes = max(self.bytes, sum(self._alive.values()))
