"""One network whose weights all architectures of a space share, and any of them taken out of it alone.

A trunk of fewer features keeps the first of each quarter of the features, not the first of all: the blocks that work on
halves or quarters of the features then find in them the same features at every width. Whatever else a block is wide in
(its hidden layer, its branches) is a multiple of a quarter and cut likewise.
"""

import functools

import torch
from torch import Tensor, nn
from torch.func import functional_call

from search_spaces.architecture import Architecture
from search_spaces.kinds import BLOCKS
from search_spaces.network import (
    LEARNED,
    UPSAMPLERS,
    ConcatOutputs,
    SearchedNetwork,
    build,
    initialise,
    interpolation_kernel,
)
from search_spaces.space import SearchSpace

_QUARTERS = 4
_TEMPLATES = 64


class Supernet(nn.Module):
    """Weights per position and kind, per upsampler and skip, of the aggregation and the head, at the largest width.

    Empty positions are left out first: the k-th real block uses the k-th position. All starts as in a network of the
    full width, so the slices of narrow ones start smaller than in a network of their own, by the root of the ratio of
    the widths.

    Args:
        space: Whose architectures share the weights.
        num_feat_most: The width is the space's largest up to it; None for the space's largest.
        positions: How many blocks an architecture may have; None for the space's.

    Raises:
        ValueError: Where no width is left or the space has not as many positions.
    """

    def __init__(self, space: SearchSpace, num_feat_most: int | None = None, positions: int | None = None) -> None:
        super().__init__()
        widths = [num_feat for num_feat in space.num_feat if num_feat_most is None or num_feat <= num_feat_most]
        if not widths:
            raise ValueError(f"num_feat_most is at least {min(space.num_feat)} in {space.name}, got {num_feat_most}")
        self.positions = space.positions if positions is None else positions
        if not 1 <= self.positions <= space.positions:
            raise ValueError(f"positions is from 1 to {space.positions} in {space.name}, got {self.positions}")
        self.space, self.num_feat = space, max(widths)
        self.conv_first = nn.Conv2d(3, self.num_feat, 3, padding=1)
        self.trunk = nn.ModuleList(
            nn.ModuleDict({kind: BLOCKS[kind](self.num_feat, space.norm) for kind in space.kinds if kind != "identity"})
            for _ in range(self.positions)
        )
        self.fuse = ConcatOutputs(self.num_feat, self.positions).fuse if "concat" in space.aggregation else None
        # With a skip an upsampler adds detail to a picture, without one it makes it all: no weights serve both. A fixed
        # kernel is the same for all.
        self.upsamplers = nn.ModuleDict(
            {f"{name}_{skip}": UPSAMPLERS[name](self.num_feat, skip if skip == LEARNED else "none", space.scale)
             for name in space.upsampler for skip in space.image_skip}
        )  # fmt: skip
        for mode in space.image_skip:
            if mode not in ("none", LEARNED):
                self.register_buffer(f"{mode}_kernel", interpolation_kernel(mode, space.scale), persistent=False)
        self.apply(initialise)
        # Of this supernet alone: while one runs, its template holds the supernet's weights.
        self._template = functools.lru_cache(maxsize=_TEMPLATES)(_without_weights)

    def forward(self, lr: Tensor, architecture: Architecture) -> Tensor:
        """Upscale by an architecture's network, in training with its batch statistics.

        Args:
            lr: (n, 3, h, w) in [0, 1].
            architecture: Whose weights run.

        Returns:
            (n, 3, s * h, s * w) at the space's scale s.

        Raises:
            ValueError: Where the architecture is outside.
        """
        built = self.inside(architecture)
        weights = self.weights(built)
        moving = self._statistics(built) if self.training else {}
        # Copies: of several networks before one backward pass, each needs the statistics that it ran with.
        weights |= {name: weights[name].clone() for name in moving}
        network = self._template(built).train(self.training)
        sr: Tensor = functional_call(network, weights | self._skip_kernel(built), (lr,))
        with torch.no_grad():
            for name, tensor in moving.items():
                slice_ = self.part(name, tensor, weights[name].shape)
                slice_.copy_(weights[name].reshape(slice_.shape))
        return sr

    def weights(self, architecture: Architecture) -> dict[str, Tensor]:
        """Return the tensors of an architecture under the names of its network's state dict.

        At full width they are the shared tensors themselves, below it copies through which gradients flow back.

        Raises:
            ValueError: Where the architecture is outside.
        """
        built = self.inside(architecture)
        shared, wanted = self.shared(built), self._template(built).state_dict()
        return {name: self.part(name, shared[name], like.shape).reshape(like.shape) for name, like in wanted.items()}

    @torch.no_grad()
    def extract(self, architecture: Architecture) -> SearchedNetwork:
        """Return the stand-alone network of an architecture, with copied weights, the same output and the same mode.

        Raises:
            ValueError: Where the architecture is outside.
        """
        built = self.inside(architecture)
        network = _without_weights(built)
        # Assigned, not copied into: the memory format stays, and with it every bit of the output.
        copies = {name: tensor.detach().clone() for name, tensor in self.weights(built).items()}
        network.load_state_dict(copies, assign=True)
        for name, kernel in self._skip_kernel(built).items():
            owner, _, buffer = name.rpartition(".")
            network.get_submodule(owner).register_buffer(buffer, kernel.clone(), persistent=False)
        return network.train(self.training)

    def inside(self, architecture: Architecture) -> Architecture:
        """Return the canonical form of an architecture that has its weights here.

        Raises:
            ValueError: For any other.
        """
        built = architecture.canonical
        space = self.space
        kinds = (*space.kinds, "identity")
        others = [block.kind for block in built.blocks if block.kind not in kinds]
        for constraint, kept in (
            (f"num_feat is at most {self.num_feat}", built.num_feat <= self.num_feat),
            (f"it has at most {self.positions} blocks", len(built.blocks) <= self.positions),
            (f"a block is one of {', '.join(kinds)}", not others),
            (f"upsampler is one of {', '.join(space.upsampler)}", built.upsampler in space.upsampler),
            (f"image_skip is one of {', '.join(space.image_skip)}", built.image_skip in space.image_skip),
            (f"aggregation is one of {', '.join(space.aggregation)}", built.aggregation in space.aggregation),
            (f"norm is {space.norm}", built.norm == space.norm),
            (f"scale is {space.scale}", built.scale == space.scale),
        ):
            if not kept:
                raise ValueError(f"{architecture.summary} is outside the supernet of {space.name}: {constraint}")
        return built

    def shared(self, built: Architecture) -> dict[str, Tensor]:
        """Return the full-width tensors behind each name of the state dict of a canonical architecture's network."""
        modules = {"conv_first": self.conv_first, "upsampler": self.upsamplers[f"{built.upsampler}_{built.image_skip}"]}
        for index, block in enumerate(built.blocks):
            if block.kind != "identity":
                modules[f"trunk.{index}"] = self.trunk[index].get_submodule(block.kind)
        tensors: dict[str, Tensor] = {}
        for name, module in modules.items():
            tensors |= module.state_dict(prefix=f"{name}.", keep_vars=True)
        if built.aggregation == "concat":
            assert self.fuse is not None
            assert self.fuse.bias is not None
            tensors["aggregation.fuse.weight"] = self.fuse.weight[:, : len(built.blocks) * self.num_feat]
            tensors["aggregation.fuse.bias"] = self.fuse.bias
        return tensors

    def part(self, name: str, tensor: Tensor, shape: torch.Size) -> Tensor:
        """Return the view of a full-width tensor that `reshape` turns into its slice of `shape`."""
        for dim in reversed(range(tensor.dim())):
            whole, wanted = tensor.shape[dim], shape[dim]
            if whole != wanted:
                # Before a pixel shuffle neighbouring channels make one feature, 4 or 9: so many more are in a quarter.
                per_quarter = whole // _QUARTERS if name.startswith("upsampler.") else self.num_feat // _QUARTERS
                groups = whole // per_quarter
                tensor = tensor.unflatten(dim, (groups, per_quarter)).narrow(dim + 1, 0, wanted // groups)
        return tensor

    def _statistics(self, built: Architecture) -> dict[str, Tensor]:
        """Return those of the shared tensors that are batch norm's running statistics."""
        shared = self.shared(built)
        return {name: shared[name] for name, _ in self._template(built).named_buffers() if name in shared}

    def _skip_kernel(self, built: Architecture) -> dict[str, Tensor]:
        """Return the fixed kernel that a network adds its image by, under its name there, where it has one."""
        if built.upsampler != "one_step" or built.image_skip in ("none", LEARNED):
            return {}
        return {"upsampler.skip_kernel": self.get_buffer(f"{built.image_skip}_kernel")}


def _without_weights(architecture: Architecture) -> SearchedNetwork:
    """Build the network of an architecture with all of its tensors on the meta device, random numbers left as they are.

    Building it on the meta device at once takes four times as long, nearly all of it for initial weights.
    """
    with torch.random.fork_rng(devices=[]):
        return build(architecture).to("meta")
