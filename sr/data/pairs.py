"""LR and HR pictures as two flat tensors, and the patches cut from them on the device that trains."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sr.data.left_out import SHOWN_NAMES
from sr.memory import free_bytes
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE


@dataclass(frozen=True, eq=False)
class Packed:
    """Pictures of different sizes in one flat tensor.

    Attributes:
        values: (pixels * 3,) uint8 on any device, each picture row by row with its channels innermost.
        offsets: (count,) int64, where each picture starts, in pixels; on the CPU, where patches are drawn, as the next
            two.
        heights: (count,) int64.
        widths: (count,) int64.
    """

    values: Tensor
    offsets: Tensor
    heights: Tensor
    widths: Tensor

    def __len__(self) -> int:
        return len(self.heights)

    def picture(self, index: int) -> Tensor:
        """Return one picture as a (h, w, 3) uint8 view."""
        height, width = int(self.heights[index]), int(self.widths[index])
        start = 3 * int(self.offsets[index])
        return self.values[start : start + 3 * height * width].view(height, width, 3)

    def gather(self, pixels: Tensor) -> Tensor:
        """Return the (b, p, p) pixels of these indices as (b, 3, p, p) float32 in [0, 1], channels_last in memory."""
        picked = self.values.view(-1, 3).index_select(0, pixels.view(-1)).view(*pixels.shape, 3)
        return picked.permute(0, 3, 1, 2).float().div_(255)

    def to(self, device: torch.device | str) -> "Packed":
        """Return the pictures with their values on `device`."""
        return Packed(self.values.to(device), self.offsets, self.heights, self.widths)


@dataclass(frozen=True, eq=False)
class PatchPositions:
    """Where patches lie, each (b,) int64 on the CPU.

    Attributes:
        picture: The index of its picture.
        row: Of its upper left corner, in LR pixels.
        column: Of that corner.
        symmetry: 0 to 7, as of `patch_walk`.
    """

    picture: Tensor
    row: Tensor
    column: Tensor
    symmetry: Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pictures as LR and HR.

    Attributes:
        names: What each is called.
        lr: The LR pictures.
        hr: The HR pictures, exactly `scale` times as high and wide.
        scale: That of networks which are trained on them or judged by them.

    Raises:
        ValueError: Where they are not as many or a size does not fit.
    """

    names: tuple[str, ...]
    lr: Packed
    hr: Packed
    scale: int = DEFAULT_SCALE

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.lr) == len(self.hr):
            raise ValueError(f"names, LR and HR must be as many: {len(self.names)}, {len(self.lr)}, {len(self.hr)}")
        fits = (self.hr.heights == self.scale * self.lr.heights) & (self.hr.widths == self.scale * self.lr.widths)
        if not bool(fits.all()):
            raise ValueError(f"HR must be {self.scale} times LR, not so in {self.names[int((~fits).nonzero()[0])]}")

    def __len__(self) -> int:
        return len(self.names)

    def pair(self, index: int) -> tuple[Tensor, Tensor]:
        """Return LR (1, 3, h, w) float32 in [0, 1] and HR, `scale` times as high and wide, uint8."""
        lr, hr = (side.picture(index).permute(2, 0, 1)[None].contiguous() for side in (self.lr, self.hr))
        return lr.float() / 255, hr

    def to(self, device: torch.device | str) -> "Pairs":
        """Return the pairs with their pixels on `device`."""
        return Pairs(self.names, self.lr.to(device), self.hr.to(device), self.scale)

    def patches(self, batch: int, patch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw patches and take them out.

        Args:
            batch: How many, b.
            patch: The LR side of each, p.
            generator: On the CPU, so that every device gets the same patches.

        Returns:
            LR (b, 3, p, p) and HR (b, 3, P, P) with P = scale * p, float32 in [0, 1].

        Raises:
            ValueError: Where no picture is as large as a patch.
        """
        return self.cut(self.draw(batch, patch, generator), patch)

    def draw(self, batch: int, patch: int, generator: torch.Generator) -> PatchPositions:
        """Pick patches, every position of every picture equally likely, flipped and turned at random.

        Args:
            batch: How many.
            patch: Their LR side; pictures that are smaller are never drawn.
            generator: On the CPU, so that every device gets the same patches.

        Returns:
            Where they lie.

        Raises:
            ValueError: Where no picture is as large as a patch.
        """
        rows, columns = self.lr.heights - patch + 1, self.lr.widths - patch + 1
        positions = (rows.clamp(min=0) * columns.clamp(min=0)).cumsum(0)
        if positions[-1] == 0:
            raise ValueError(f"no LR picture has sides of at least {patch}, the largest has {self.largest()}")
        drawn = torch.randint(int(positions[-1]), (batch,), generator=generator)
        symmetry = torch.randint(8, (batch,), generator=generator)
        picture = torch.searchsorted(positions, drawn, right=True)
        position = positions[picture] - drawn - 1
        return PatchPositions(picture, position // columns[picture], position % columns[picture], symmetry)

    def cut(self, positions: PatchPositions, patch: int) -> tuple[Tensor, Tensor]:
        """Return the LR and HR patches of these positions, as `patches` does."""
        lr, hr = (
            walk.to(side.values.device, non_blocking=True)
            for walk, side in zip(self.walks(positions, patch), (self.lr, self.hr), strict=True)
        )
        return self.along(lr, hr, patch)

    def walks(self, positions: PatchPositions, patch: int) -> tuple[Tensor, Tensor]:
        """Return the walks over LR and over HR, each (3, b) on the CPU, that `along` takes; see `patch_walk`."""
        lr = patch_walk(self.lr, positions, 1, patch)
        return lr, patch_walk(self.hr, positions, self.scale, self.scale * patch)

    def along(self, lr: Tensor, hr: Tensor, patch: int) -> tuple[Tensor, Tensor]:
        """Return the patches of walks as `cut` does; nothing here waits for a device.

        Args:
            lr: (3, b) the walk over LR, on the device of the pictures.
            hr: (3, b) that over HR.
            patch: The LR side of patches.
        """
        return self.lr.gather(walked(lr, patch)), self.hr.gather(walked(hr, self.scale * patch))

    def smallest_side(self) -> int:
        """Return the shortest LR side of all pictures."""
        return int(torch.minimum(self.lr.heights, self.lr.widths).min())

    def largest(self) -> str:
        """Return the size of the largest LR picture as WIDTHxHEIGHT."""
        index = int((self.lr.heights * self.lr.widths).argmax())
        return f"{int(self.lr.widths[index])}x{int(self.lr.heights[index])}"

    def centre_crops(self, lr_side: int, count: int) -> "Pairs":
        """Return the centres, at most lr_side LR pixels a side, of at most `count` evenly chosen pictures."""
        count = min(count, len(self))
        chosen = [index * len(self) // count for index in range(count)]
        crops = [_centre(self.lr.picture(index), self.hr.picture(index), lr_side, self.scale) for index in chosen]
        names = tuple(self.names[index] for index in chosen)
        return Pairs(names, pack([lr for lr, _ in crops]), pack([hr for _, hr in crops]), self.scale)


def on_device(pairs: Pairs, device: torch.device) -> Pairs:
    """Return the pairs on `device` where they fill at most half of its free memory, else as they are.

    They are bytes there, and floats only as patches. What lies there already is not copied.
    """
    if pairs.lr.values.device == device:
        return pairs
    if device.type != "cpu" and pairs.lr.values.nbytes + pairs.hr.values.nbytes > free_bytes(device) // 2:
        return pairs
    return pairs.to(device)


def patch_walk(side: Packed, positions: PatchPositions, scale: int, size: int) -> Tensor:
    """Return how one walks over b patches.

    Args:
        side: The pictures that they are of.
        positions: Where they lie. Bit 2 of a symmetry swaps rows and columns, then bit 0 flips the rows and bit 1 the
            columns.
        scale: How many pixels of `side` an LR pixel is.
        size: The side of a patch.

    Returns:
        (3, b) int64 on the CPU: the index of the first pixel in `side.values`, the step down and the step right.
    """
    width, symmetry = side.widths[positions.picture], positions.symmetry
    corners = side.offsets[positions.picture] + scale * positions.row * width + scale * positions.column
    swapped = (symmetry & 4) > 0
    down, right = torch.where(swapped, 1, width), torch.where(swapped, width, 1)
    flips = (symmetry & 1) > 0, (symmetry & 2) > 0
    # A flip walks backwards from the opposite end.
    first = corners + (size - 1) * (down * flips[0] + right * flips[1])
    down, right = torch.where(flips[0], -down, down), torch.where(flips[1], -right, right)
    return torch.stack((first, down, right))


def walked(walk: Tensor, size: int) -> Tensor:
    """Return (b, size, size) the indices of the pixels on a walk (3, b), on its device."""
    first, down, right = walk[:, :, None, None]
    steps = torch.arange(size, device=walk.device)
    pixels: Tensor = first + down * steps[:, None] + right * steps
    return pixels


def _centre(lr: Tensor, hr: Tensor, lr_side: int, scale: int) -> tuple[Tensor, Tensor]:
    """Return the centre of LR (h, w, 3), at most lr_side a side, and the same region of HR."""
    height, width = min(lr_side, lr.shape[0]), min(lr_side, lr.shape[1])
    top, left = (lr.shape[0] - height) // 2, (lr.shape[1] - width) // 2
    bottom, right = scale * (top + height), scale * (left + width)
    return lr[top : top + height, left : left + width], hr[scale * top : bottom, scale * left : right]


def pack(pictures: Sequence[Tensor]) -> Packed:
    """Pack (h, w, 3) uint8 pictures, at least one."""
    values = torch.cat([picture.reshape(-1) for picture in pictures])
    return packed(values, [(picture.shape[0], picture.shape[1]) for picture in pictures])


def packed(values: Tensor, sizes: Sequence[tuple[int, int]]) -> Packed:
    """Return flat values and the (height, width) of the pictures that they hold one behind the other, as Packed."""
    heights, widths = torch.tensor(sizes, dtype=torch.int64).unbind(1)
    ends = (heights * widths).cumsum(0)
    return Packed(values, ends - heights * widths, heights, widths)


def fitting_patch(pairs: Pairs, patch: int, report: Report = no_report) -> int:
    """Return the side of the LR patches to train with: `patch` where any picture is that large.

    Smaller pictures are left out then, for `Pairs.draw` never draws them. Where all are smaller it is the largest side
    that any of them gives.

    Args:
        pairs: What is trained on.
        patch: The side that is asked for.
        report: Is told which pictures are left out, or that the patches are smaller.
    """
    sides = torch.minimum(pairs.lr.heights, pairs.lr.widths)
    largest = int(sides.max())
    if largest < patch:
        report(Message(f"patches of {largest} instead of {patch}: no LR picture has longer sides", aside=True))
        return largest
    small = [pairs.names[index] for index in (sides < patch).nonzero().flatten().tolist()]
    if small:
        names = ", ".join(small[:SHOWN_NAMES] + ["..."] * (len(small) > SHOWN_NAMES))
        report(Message(f"left out {len(small)}: {len(small)} too small for patches of {patch} ({names})", aside=True))
    return patch


def same_pictures(a: Pairs, b: Pairs) -> list[str]:
    """Return the names in `a` of the pictures whose HR is also in `b`, pixel for pixel, under whatever name."""
    theirs = {_fingerprint(b.hr.picture(index)) for index in range(len(b))}
    return [name for index, name in enumerate(a.names) if _fingerprint(a.hr.picture(index)) in theirs]


def _fingerprint(picture: Tensor) -> bytes:
    """Return what only equal (h, w, 3) pictures share."""
    height, width, _ = picture.shape
    content = hashlib.sha256(f"{height}x{width} ".encode())
    content.update(picture.cpu().numpy().tobytes())
    return content.digest()
