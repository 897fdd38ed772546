"""A step of a network as an engine runs it within one: between convolutions that lay its tensors out as they do there.

Alone, a step would be charged for bringing pictures into the layout that an engine computes in, and nothing for leaving
it, as slices and partial sums do.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from sr.measure.engines.registry import engine_of
from sr.measure.target import Target


class Framed(nn.Module):
    """A step whose tensors come from 1x1 convolutions of pictures, and whose result goes into one to three channels.

    Args:
        step: Called with a tensor (1, width, h, w) per width.
        widths: How many channels each tensor has.
        outputs: How many channels the step gives.
    """

    def __init__(self, step: nn.Module, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.before = nn.ModuleList(nn.Conv2d(3, width, 1) for width in widths)
        self.step = step
        self.behind = nn.Conv2d(outputs, 3, 1)

    def forward(self, *pictures: Tensor) -> Tensor:
        """Map a picture (1, 3, h, w) per width to (1, 3, height and width of the step's result)."""
        tensors = (conv(picture) for conv, picture in zip(self.before, pictures, strict=True))
        return self.behind(self.step(*tensors))  # type: ignore[no-any-return]


def work_of(
    module: nn.Module, target: Target, memory_format: str, inputs: Sequence[Tensor] | None = None
) -> Callable[[], object]:
    """Return a run of a module in the target's engine, which is asked for its runtime alone.

    Args:
        module: A network, or a part of one; left as it is.
        target: Its engine, device and dtype.
        memory_format: One of the engine's.
        inputs: What it is run on; None for the target's picture.

    Raises:
        InputError: Where the engine cannot run it.
    """
    engine = engine_of(target)
    return engine.prepare(module.eval(), target, inputs, memory_format=memory_format, any_weights=True).execute
