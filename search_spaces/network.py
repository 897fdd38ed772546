"""From an architecture to a network."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.architecture import Architecture
from search_spaces.blocks import LEAKY_SLOPE, Residual, WideResidual
from search_spaces.folding import WideConv, folded_together
from search_spaces.kinds import BLOCKS, SYMMETRIC
from search_spaces.symmetry import SymmetricConv, SymmetricConv3XC
from sr.scale import DEFAULT_SCALE

# The image skip whose kernel is trained.
LEARNED = "learned"
# As many residual blocks train steadily as they are drawn; twice as many often stand still for a while.
_STEADY_BLOCKS = 10
# By the scale: the steps that an upsampler of several takes one after another.
_STEPS = {2: (2,), 3: (3,), 4: (2, 2)}


class SearchedNetwork(nn.Module):
    """MSRResNet's skeleton (Wang et al., ESRGAN, ECCVW 2018) with the choices of an architecture.

    Takes LR (n, 3, h, w) in [0, 1] and gives (n, 3, s * h, s * w) at the architecture's scale s, in the same range, not
    clamped.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        built = architecture.canonical
        self.conv_first = _head(built)
        self.trunk = nn.ModuleList(BLOCKS[block.kind](built.num_feat, built.norm) for block in built.blocks)
        self.aggregation, self.first_unread = _aggregation(built.aggregation, built.num_feat, len(self.trunk))
        self.upsampler = UPSAMPLERS[built.upsampler](built.num_feat, built.image_skip, built.scale)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        self.apply(initialise)

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch of LR pictures."""
        outputs = [self.act(self.conv_first(lr))]
        with folded_together(self._wide_convs() if self.training else ()):
            for block in self.trunk:
                outputs.append(block(outputs[-1]))
                del outputs[self.first_unread : -1]
        return self.upsampler(self.aggregation(outputs), lr)  # type: ignore[no-any-return]

    def _wide_convs(self) -> list[WideConv]:
        """Return those of the trunk that fold alike."""
        return [conv for block in self.trunk if isinstance(block, WideResidual) for conv in block.wide_convs()]


def _head(built: Architecture) -> nn.Conv2d:
    """Return the first convolution: its features turn with the picture where the first block has use for such."""
    if built.blocks[0].kind in SYMMETRIC:
        return SymmetricConv(built.num_feat)
    return nn.Conv2d(3, built.num_feat, 3, padding=1)


def initialise(module: nn.Module) -> None:
    """Kaiming normal over the fan-in, two fifths as large, biases zero: a residual branch adds a little at first.

    From ESRGAN's tenth a training starts more slowly; see docs/search.md. What is tied is drawn as much larger as its
    mean is smaller.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        with torch.no_grad():
            module.weight.mul_(0.4)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, SymmetricConv | SymmetricConv3XC):
        # After its parts, which `nn.Module.apply` visits first.
        module.enlarge()


class _LastOutput(nn.Module):
    """Aggregation `none` and `long_skip`: the last block's output, with the head's added where asked for."""

    def __init__(self, *, skip: bool) -> None:
        super().__init__()
        self.skip = skip

    def forward(self, outputs: list[Tensor]) -> Tensor:
        """Map [head, ..., last], each (n, c, h, w), to (n, c, h, w)."""
        return outputs[-1] + outputs[0] if self.skip else outputs[-1]


class ConcatOutputs(nn.Module):
    """Aggregation `concat`: a 1x1 convolution over the outputs of all blocks, plus the head's."""

    def __init__(self, num_feat: int, blocks: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(blocks * num_feat, num_feat, 1)

    def forward(self, outputs: list[Tensor]) -> Tensor:
        """Map [head, block outputs], each (n, c, h, w), to (n, c, h, w)."""
        return self.fuse(torch.cat(outputs[1:], dim=1)).add_(outputs[0])  # type: ignore[no-any-return]


def _aggregation(kind: str, num_feat: int, blocks: int) -> tuple[nn.Module, int]:
    """Return the aggregation of [head, block outputs], and from which of them on only the last is read.

    What is never read again need not stay in memory.
    """
    made: dict[str, Callable[[], tuple[nn.Module, int]]] = {
        "none": lambda: (_LastOutput(skip=False), 0),
        "long_skip": lambda: (_LastOutput(skip=True), 1),
        "concat": lambda: (ConcatOutputs(num_feat, blocks), blocks + 1),
    }
    return made[kind]()


class _OneStep(nn.Module):
    """One convolution to 3 * scale**2 channels and one pixel shuffle; the image skip is added before the shuffle.

    The channels run (row, column, colour), which `shuffle_colour_last` copies fastest. At LR size the interpolated
    image is a fixed 1x1, 3x3 or 5x5 convolution, several times cheaper than interpolating to HR size, and the same
    numbers; `learned`, it costs what the fixed 3x3 one does.
    """

    def __init__(self, num_feat: int, image_skip: str, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv_last = nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1)
        self.learned_skip = _learned_skip(image_skip, scale)
        self.skip_kernel: Tensor | None
        kernel = None if image_skip in ("none", LEARNED) else interpolation_kernel(image_skip, scale)
        self.register_buffer("skip_kernel", kernel, persistent=False)

    def forward(self, feature: Tensor, lr: Tensor) -> Tensor:
        """Map feature (n, c, h, w) and lr (n, 3, h, w) to (n, 3, s * h, s * w) at the scale s."""
        subpixels = self.conv_last(feature)
        return shuffle_colour_last(_with_image_skip(subpixels, lr, self.skip_kernel, self.learned_skip), self.scale)

    def bilinear_kernel(self) -> Tensor:
        """Return what a learned skip begins with, (3 * scale**2, 3, 3, 3)."""
        return interpolation_kernel("bilinear", self.scale)

    def portable(self) -> nn.Module:
        """Return the form for other engines: the channels run as torch's own pixel shuffle takes them.

        That is DepthToSpace in ONNX, where ours becomes a transposition in six dimensions on one thread.
        """
        return _PortableOneStep(self)


class _PortableOneStep(nn.Module):
    """_OneStep with its sub-pixels in the order (colour, row, column) of torch's pixel shuffle."""

    def __init__(self, original: _OneStep) -> None:
        super().__init__()
        order = subpixel_order(original.scale)
        self.scale = original.scale
        self.conv_last = copy.deepcopy(original.conv_last)
        self.learned_skip = copy.deepcopy(original.learned_skip)
        with torch.no_grad():
            for tensor in self.parameters():
                tensor.copy_(tensor[order])
        self.skip_kernel: Tensor | None
        kernel = original.skip_kernel
        self.register_buffer("skip_kernel", None if kernel is None else kernel[order], persistent=False)

    def forward(self, feature: Tensor, lr: Tensor) -> Tensor:
        """Map feature (n, c, h, w) and lr (n, 3, h, w) to (n, 3, s * h, s * w) at the scale s."""
        subpixels = self.conv_last(feature)
        return F.pixel_shuffle(_with_image_skip(subpixels, lr, self.skip_kernel, self.learned_skip), self.scale)


def _learned_skip(image_skip: str, scale: int) -> nn.Conv2d | None:
    """Return the convolution of the padded LR that a learned image skip is, None for the others; see `silence`."""
    return nn.Conv2d(3, 3 * scale**2, 3, bias=False) if image_skip == LEARNED else None


def subpixel_order(scale: int = DEFAULT_SCALE) -> Tensor:
    """Return which channel in the order (row, column, colour) each one of torch's pixel shuffle is, (3 * scale**2,)."""
    return torch.arange(3 * scale**2).view(scale**2, 3).t().flatten()


def _with_image_skip(subpixels: Tensor, lr: Tensor, kernel: Tensor | None, learned: nn.Module | None) -> Tensor:
    """Add an interpolated LR (n, 3, h, w) to subpixels (n, 3s², h, w), in place; kernel: (3s², 3, k, k) or None."""
    if learned is not None:
        return subpixels.add_(learned(_padded(lr, 1)))
    if kernel is None:
        return subpixels
    radius = kernel.shape[-1] // 2
    return subpixels.add_(F.conv2d(_padded(lr, radius) if radius else lr, kernel))


def _padded(lr: Tensor, radius: int) -> Tensor:
    """Return lr (n, 3, h, w) with its borders repeated `radius` times."""
    return F.pad(lr, (radius,) * 4, mode="replicate")


def shuffle_colour_last(subpixels: Tensor, scale: int = DEFAULT_SCALE) -> Tensor:
    """Rearrange channels into pixels, in the memory format given.

    A pixel shuffle (Shi et al., CVPR 2016) with other names for the channels. In channels_last the copy moves runs of
    3 * scale values: at x4 on a CPU a third of the time of torch's kernel.

    Args:
        subpixels: (n, 3 * scale**2, h, w) whose channels run (row, column, colour).
        scale: How many pixels each way one becomes.

    Returns:
        (n, 3, scale * h, scale * w).
    """
    parts: Tensor = subpixels.unflatten(1, (scale, scale, 3))
    if parts.stride(3) == 1:
        hr = parts.permute(0, 4, 1, 5, 2, 3).flatten(1, 2).flatten(2, 3).permute(0, 3, 1, 2)
    else:
        hr = parts.permute(0, 3, 4, 1, 5, 2).flatten(2, 3).flatten(3, 4)
    return hr


class _AtHighResolution(nn.Module):
    """Two x2 steps, by pixel shuffle or by repeated pixels, then two convolutions at HR size.

    At x2 and at x3 it is one step of that.
    """

    def __init__(self, num_feat: int, image_skip: str, scale: int, *, shuffle: bool) -> None:
        super().__init__()
        self.scale = scale
        for number, step in enumerate(_STEPS[scale], start=1):
            widened = step**2 * num_feat if shuffle else num_feat
            self.add_module(f"upconv{number}", nn.Conv2d(num_feat, widened, 3, padding=1))
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        self.shuffle = shuffle
        self.image_skip = image_skip
        self.learned_skip = _learned_skip(image_skip, scale)

    def forward(self, feature: Tensor, lr: Tensor) -> Tensor:
        """Map feature (n, c, h, w) and lr (n, 3, h, w) to (n, 3, s * h, s * w) at the scale s."""
        for number, step in enumerate(_STEPS[self.scale], start=1):
            upconv = getattr(self, f"upconv{number}")
            feature = self.act(
                F.pixel_shuffle(upconv(feature), step)
                if self.shuffle
                else upconv(F.interpolate(feature, scale_factor=step, mode="nearest"))
            )
        hr = self.conv_last(self.act(self.conv_hr(feature)))
        if self.image_skip == "none":
            return hr  # type: ignore[no-any-return]
        if self.learned_skip is not None:
            subpixels = self.learned_skip(_padded(lr, 1))
            return hr.add_(F.pixel_shuffle(subpixels, self.scale))  # type: ignore[no-any-return]
        return hr.add_(_interpolate(lr, self.image_skip, self.scale))  # type: ignore[no-any-return]

    def bilinear_kernel(self) -> Tensor:
        """Return what a learned skip begins with, (3 * scale**2, 3, 3, 3), for torch's own pixel shuffle."""
        return interpolation_kernel("bilinear", self.scale)[subpixel_order(self.scale)]


def _interpolate(lr: Tensor, mode: str, scale: int) -> Tensor:
    """Return lr (n, 3, h, w) at `scale` times the size by nearest, bilinear or bicubic interpolation."""
    return F.interpolate(lr, scale_factor=scale, mode=mode, align_corners=None if mode == "nearest" else False)


def interpolation_kernel(mode: str, scale: int = DEFAULT_SCALE) -> Tensor:
    """Return the kernel (3 * scale**2, 3, k, k) that interpolates before `shuffle_colour_last`.

    Borders are replicated. It is read off torch's own interpolation of unit impulses, so that both agree.
    """
    radius = {"nearest": 0, "bilinear": 1, "bicubic": 2}[mode]
    size = 2 * radius + 1
    # Around the impulse lies enough black that no border is felt.
    impulse = torch.zeros(1, 1, 3 * size, 3 * size, dtype=torch.float64)
    impulse[..., size + radius, size + radius] = 1
    response = F.pixel_unshuffle(_interpolate(impulse, mode, scale), scale)[0, :, size : 2 * size, size : 2 * size]
    kernel = torch.zeros(scale**2, 3, 3, size, size)
    for colour in range(3):
        kernel[:, colour, colour] = response.flip(1, 2)
    return kernel.flatten(0, 1)


# Each is made of the trunk's channels, the image skip and the scale.
UPSAMPLERS: dict[str, Callable[[int, str, int], nn.Module]] = {
    "one_step": _OneStep,
    "two_step": lambda num_feat, image_skip, scale: _AtHighResolution(num_feat, image_skip, scale, shuffle=True),
    "nearest_conv": lambda num_feat, image_skip, scale: _AtHighResolution(num_feat, image_skip, scale, shuffle=False),
}


def build(architecture: Architecture) -> SearchedNetwork:
    """Build the untrained network of an architecture, in training form."""
    return SearchedNetwork(architecture)


def untrained(architecture: Architecture) -> SearchedNetwork:
    """Build the network of an architecture as a training starts: see `silence` and `steady`."""
    network = build(architecture)
    silence(network.upsampler)
    steady(network.trunk)
    return network


def steady(trunk: nn.ModuleList) -> None:
    """Shrink what each residual block of a deep trunk adds, so that together they add no more than ten do.

    As in Zhang, Dauphin, Ma, "Fixup Initialization", ICLR 2019, a branch begins the smaller the deeper the network is,
    here by its depth, not by the root of it.
    """
    residual = [block for block in trunk if isinstance(block, Residual | WideResidual)]
    share = min(1.0, _STEADY_BLOCKS / max(1, len(residual)))
    with torch.no_grad():
        for block in residual:
            for weight in block.adding_weights():
                weight.mul_(share)


def silence(upsampler: nn.Module) -> None:
    """Zero the weights of the last convolution: SR is the image skip at first, and nothing has to be unlearnt.

    A learned skip begins as bilinear interpolation.
    """
    nn.init.zeros_(upsampler.get_parameter("conv_last.weight"))
    if isinstance(upsampler, _OneStep | _AtHighResolution) and upsampler.learned_skip is not None:
        with torch.no_grad():
            upsampler.learned_skip.weight.copy_(upsampler.bilinear_kernel())


def build_family(config: Mapping[str, Any]) -> nn.Module:
    """Build a checkpoint's network of the family `searched`.

    Raises:
        ValueError: Where `config` breaks a constraint.
    """
    return build(Architecture.from_json(config))
