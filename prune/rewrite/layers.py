"""The modules that a slim network has and the dense one has not: they move channels between tensors of two widths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ContiguousSlice(nn.Module):
    """Channels start..stop of (n, c, h, w), as a view."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, stop - start, h, w)."""
        return x[:, self.start : self.stop]


class Gather(nn.Module):
    """The channels of (n, c, h, w) that an index names, as a copy."""

    def __init__(self, index: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("index", torch.tensor(index), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, len(index), h, w)."""
        return x.index_select(1, self.get_buffer("index"))


class Spread(nn.Module):
    """The channels of (n, given, h, w) at their places `index` among `channels`, zeros elsewhere."""

    def __init__(self, channels: int, index: Sequence[int], given: int) -> None:
        super().__init__()
        # One channel of zeros, put behind the given ones, is what every other place shows.
        source = {place: position for position, place in enumerate(index)}
        shown = torch.tensor([source.get(channel, given) for channel in range(channels)])
        self.register_buffer("index", shown, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, channels, h, w)."""
        return F.pad(x, (0, 0, 0, 0, 0, 1)).index_select(1, self.get_buffer("index"))


class Accumulate(nn.Module):
    """The sum of terms that hold different channels of it.

    Args:
        channels: How many the sum has.
        places: Per term the channels of the sum that it holds, in its order.
        base: Which term, whole, the others are added to; None where none is whole.
        in_place: Whether nobody else reads the base any more, so that it may be overwritten.
    """

    def __init__(self, channels: int, places: Sequence[Sequence[int]], base: int | None, *, in_place: bool) -> None:
        super().__init__()
        self.channels, self.places, self.base, self.in_place = channels, places, base, in_place
        self.slices = [as_slice(place) for place in places]
        for number, place in enumerate(places):
            self.register_buffer(f"index{number}", torch.tensor(place), persistent=False)

    def forward(self, *terms: Tensor) -> Tensor:
        """Map terms (n, number of places, h, w) to (n, channels, h, w)."""
        others = (number for number in range(len(terms)) if number != self.base)
        order = sorted(others, key=lambda number: not self.covers(number))
        if torch.compiler.is_exporting() or torch.is_grad_enabled():
            total = self._start(terms)
            for number in order:
                total = self._added(total, terms[number], number)
            return total
        return self._overwritten(terms, order)

    def covers(self, number: int) -> bool:
        """Return whether a term holds all channels of the sum, in their order."""
        return self.slices[number] == (0, self.channels)

    def overwriting(self, number: int) -> "Accumulate":
        """Return the same sum, added up in the memory of a term that covers it."""
        return Accumulate(self.channels, self.places, number, in_place=True)

    def _start(self, terms: Sequence[Tensor]) -> Tensor:
        """Return the base, or zeros."""
        if self.base is not None:
            return terms[self.base]
        return terms[0].new_zeros(()).expand(terms[0].shape[0], self.channels, *terms[0].shape[2:])

    def _added(self, total: Tensor, term: Tensor, number: int) -> Tensor:
        """Return the sum with one more term, as a new tensor."""
        place = self.slices[number]
        if place is None:
            # Under autocast terms differ in precision, which `index_add` alone minds.
            return total.index_add(1, self.get_buffer(f"index{number}"), term.to(total.dtype))
        if place == (0, self.channels):
            return total + term
        start, stop = place
        parts = [total[:, :start], total[:, start:stop] + term, total[:, stop:]]
        return torch.cat([part for part in parts if part.shape[1]], dim=1)

    def _overwritten(self, terms: Sequence[Tensor], order: Sequence[int]) -> Tensor:
        """Return the sum with as few copies as there can be."""
        rest = list(order)
        if self.base is None:
            total = torch.zeros_like(terms[0][:, :1]).repeat(1, self.channels, 1, 1)
        elif self.in_place:
            total = terms[self.base]
        elif rest and self.covers(rest[0]):
            total = terms[self.base] + terms[rest.pop(0)]
        else:
            total = terms[self.base].clone()
        for number in rest:
            place = self.slices[number]
            if place is None:
                total.index_add_(1, self.get_buffer(f"index{number}"), terms[number].to(total.dtype))
            else:
                total[:, place[0] : place[1]].add_(terms[number])
        return total


def as_slice(index: Sequence[int]) -> tuple[int, int] | None:
    """Return (start, stop) of an index that counts up by one, a contiguous slice, else None."""
    start = index[0]
    return (start, start + len(index)) if list(index) == list(range(start, start + len(index))) else None
