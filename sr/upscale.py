"""Command: upscale pictures x4 by a checkpoint or an ONNX network, in tiles where they are large."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sr.checkpoint import SCALE, load_network
from sr.command import BAD_INPUT, DONE, Parser, run, say
from sr.degradation import upscale_bicubic
from sr.deployment import deploy
from sr.errors import InputError
from sr.export import load_onnx
from sr.files import write_json
from sr.images import Picture, Pixels, picture_paths, read_picture, write_picture
from sr.lr_size import SMALLEST_SIDE

TILE, OVERLAP = 256, 32


def main(argv: list[str] | None = None) -> int:
    """Upscale every picture named; the broken ones are named and left out, and the exit code tells."""
    parser = Parser(
        prog="python -m sr.upscale",
        description="Upscale pictures x4. Transparency and 16 bit are kept.",
        example="python -m sr.upscale runs/front/best.pth photo.jpg scans/ --out upscaled",
    )
    parser.add_argument("network", type=Path, metavar="CHECKPOINT_OR_ONNX", help="a .pth of ours or an .onnx")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="pictures, or folders of pictures")
    tile_help = f"side of a tile in LR pixels, 0 for none (default {TILE}); smaller takes less memory"
    parser.add_argument("--tile", type=int, default=TILE, metavar="N", help=tile_help)
    parser.add_shared("out", "device", "json", out="upscaled")
    args = parser.parse_args(argv)
    if args.tile != 0 and args.tile < SMALLEST_SIDE:
        raise InputError(f"--tile must be 0 or at least {SMALLEST_SIDE}, got {args.tile}")

    sources = [path for given in args.pictures for path in (picture_paths(given) if given.is_dir() else [given])]
    targets = result_paths(sources, args.out)
    network = load_upscaler(args.network, args.device)
    done, failed = [], 0
    for source, target in zip(sources, targets, strict=True):
        began = time.perf_counter()
        try:
            upscale_file(network, source, target, device=args.device, tile=args.tile or None)
        except InputError as error:
            say(f"error: {error}", to_stderr=True)
            failed += 1
            continue
        seconds = time.perf_counter() - began
        say(f"{source} -> {target} ({seconds:.1f} s)")
        done.append({"picture": str(source), "result": str(target), "seconds": round(seconds, 3)})
    if args.json:
        write_json(args.json, {"network": str(args.network), "upscaled": done, "failed": failed})
    if failed:
        say(f"{failed} of {len(sources)} pictures failed", to_stderr=True)
    return BAD_INPUT if failed else DONE


def result_paths(sources: Sequence[Path], folder: Path) -> list[Path]:
    """Return where the upscaled `sources` go; InputError where two of them would take the same name."""
    taken: dict[Path, Path] = {}
    for source in sources:
        target = folder / f"{source.stem}_x{SCALE}.png"
        if target in taken:
            raise InputError(f"{taken[target]} and {source} would both become {target}; upscale them in separate runs")
        taken[target] = source
    return list(taken)


def load_upscaler(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Read a checkpoint, deployed, or an .onnx (which stays on the CPU): (n, 3, h, w) in [0, 1] -> (n, 3, 4h, 4w)."""
    if path.suffix.lower() == ".onnx":
        return load_onnx(path)
    return deploy(load_network(path)).to(device)


def upscale_file(
    network: Callable[[Tensor], Tensor], source: Path, target: Path, *, device: torch.device, tile: int | None
) -> None:
    """Upscale one picture file into another; InputError where it is broken or does not fit into memory."""
    picture = read_picture(source)
    try:
        write_picture(target, upscale_picture(network, picture, device=device, tile=tile))
    except (MemoryError, torch.OutOfMemoryError) as error:
        height, width = picture.rgb.shape[:2]
        raise InputError(f"{source}: {width}x{height} does not fit into memory; use a smaller --tile") from error


def upscale_picture(
    network: Callable[[Tensor], Tensor],
    picture: Picture,
    *,
    device: torch.device | str = "cpu",
    tile: int | None = TILE,
) -> Picture:
    """Upscale a picture x4 at its own depth; alpha, which no network knows, by bicubic interpolation."""
    with torch.inference_mode():
        sr = upscale(network, to_tensor(picture.rgb).to(device), tile=tile)
        rgb = to_pixels(sr, picture.rgb.dtype)
        if picture.alpha is None:
            return Picture(rgb)
        alpha = upscale_bicubic(to_tensor(np.repeat(picture.alpha[..., None], 3, axis=2)))
        return Picture(rgb, np.ascontiguousarray(to_pixels(alpha, picture.rgb.dtype)[..., 0]))


def upscale(
    network: Callable[[Tensor], Tensor], lr: Tensor, *, tile: int | None = TILE, overlap: int = OVERLAP
) -> Tensor:
    """Upscale lr (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w), as the network gives it, not clamped.

    A picture of more pixels than a tile with its overlaps goes through in tiles of `tile` LR pixels a side, each seen
    with `overlap` pixels around it; tile None: always whole. Tiles change nothing where the overlap covers the
    network's receptive field; attention over the whole picture sees its tile alone. Sides under SMALLEST_SIDE are
    padded by repetition meanwhile. Raises InputError where the network is not x4.
    """
    height, width = lr.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        padding = (0, max(0, SMALLEST_SIDE - width), 0, max(0, SMALLEST_SIDE - height))
        padded = upscale(network, F.pad(lr, padding, mode="replicate"), tile=tile, overlap=overlap)
        return padded[..., : SCALE * height, : SCALE * width]
    if tile is None or height * width <= (tile + 2 * overlap) ** 2:
        return checked(network, lr)
    sr = lr.new_empty(lr.shape[0], 3, SCALE * height, SCALE * width)
    for top, bottom in spans(height, tile):
        for left, right in spans(width, tile):
            # The overlap ends at the picture's edge, so that the network pads there as it would without tiles.
            above, before = max(0, top - overlap), max(0, left - overlap)
            seen = lr[..., above : bottom + overlap, before : right + overlap]
            rows = slice(SCALE * (top - above), SCALE * (bottom - above))
            columns = slice(SCALE * (left - before), SCALE * (right - before))
            whole = sr[..., SCALE * top : SCALE * bottom, SCALE * left : SCALE * right]
            whole.copy_(checked(network, seen)[..., rows, columns])
    return sr


def spans(length: int, tile: int) -> Iterator[tuple[int, int]]:
    """Cut `length` (>= 1) into nearly equal spans (start, end) of at most `tile`."""
    count = -(-length // tile)
    for index in range(count):
        yield index * length // count, (index + 1) * length // count


def checked(network: Callable[[Tensor], Tensor], lr: Tensor) -> Tensor:
    """Run the network; InputError where what it gives is not 4 times as high and wide."""
    sr = network(lr)
    n, _, height, width = lr.shape
    if tuple(sr.shape) != (n, 3, SCALE * height, SCALE * width):
        became = f"{tuple(lr.shape)} became {tuple(sr.shape)}"
        raise InputError(f"a network here turns (n, 3, h, w) into (n, 3, 4h, 4w), but {became}; use a x4 network")
    return sr


def to_tensor(pixels: NDArray[np.uint8 | np.uint16]) -> Tensor:
    """Turn (h, w, 3) of 8 or 16 bit into (1, 3, h, w) float32 in [0, 1]."""
    scaled = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return torch.from_numpy(scaled).permute(2, 0, 1)[None].contiguous()


def to_pixels(sr: Tensor, dtype: np.dtype[np.uint8 | np.uint16]) -> Pixels:
    """Turn (1, 3, h, w) into (h, w, 3) of 8 or 16 bit: clamped to [0, 1], scaled, rounded."""
    scaled = (sr[0].float().clamp(0, 1) * float(np.iinfo(dtype).max)).round()
    pixels: Pixels = np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy().astype(dtype))
    return pixels


if __name__ == "__main__":
    sys.exit(run(main))
