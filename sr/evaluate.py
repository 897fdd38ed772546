"""Command: PSNR and SSIM of a checkpoint or an ONNX network over a folder of pictures, beside plain bicubic's."""

import math
import sys
from dataclasses import asdict
from pathlib import Path

from sr.command import DONE, Parser, run, say
from sr.data import load_pairs
from sr.degradation import upscale_bicubic
from sr.files import write_json
from sr.pairs import Pairs
from sr.quality import Quality, mean, qualities
from sr.upscale import load_upscaler

# SSIM's window of 11 HR pixels and the borders of 4 must fit in.
MINIMUM_LR_SIDE = 5


def main(argv: list[str] | None = None) -> int:
    """Evaluate a network and bicubic interpolation on the same pictures and print both."""
    parser = Parser(
        prog="python -m sr.evaluate",
        description="PSNR and SSIM of a network beside bicubic interpolation's. 8 bit, without a border of 4 pixels.",
        example="python -m sr.evaluate runs/front/best.pth --val DIV2K --json quality.json",
    )
    parser.add_argument("network", type=Path, metavar="CHECKPOINT_OR_ONNX", help="a .pth of ours or an .onnx")
    parser.add_argument("--per-picture", action="store_true", help="also one line per picture")
    parser.add_shared("val", "device", "json")
    args = parser.parse_args(argv)

    network = load_upscaler(args.network, args.device)
    pairs = load_pairs(args.val, "val", minimum_lr_side=MINIMUM_LR_SIDE, report=lambda line: say(line, to_stderr=True))
    ours = list(qualities(network, pairs, args.device))
    bicubic = list(qualities(upscale_bicubic, pairs, args.device))
    say(header(name_width(pairs)))
    if args.per_picture:
        for name, quality in zip(pairs.names, ours, strict=True):
            say(row(name, quality, name_width(pairs)))
    say(row("network", mean(ours), name_width(pairs)))
    say(row("bicubic", mean(bicubic), name_width(pairs)))
    if args.json:
        per_picture = {name: as_json(quality) for name, quality in zip(pairs.names, ours, strict=True)}
        summary = {"network": as_json(mean(ours)), "bicubic": as_json(mean(bicubic)), "per_picture": per_picture}
        write_json(args.json, summary)
    return DONE


def as_json(quality: Quality) -> dict[str, float | None]:
    """Return the figures as JSON holds them: infinity, of equal pictures, as null."""
    return {name: value if value is None or math.isfinite(value) else None for name, value in asdict(quality).items()}


def name_width(pairs: Pairs) -> int:
    """Return how wide the column of names is."""
    return max(len(name) for name in ("network", "bicubic", *pairs.names))


def header(width: int) -> str:
    """Return the line above the table."""
    return f"{'':{width}}  {'PSNR (dB)':>9}  {'PSNR-Y (dB)':>11}  {'SSIM':>6}  {'pictures':>8}"


def row(name: str, quality: Quality, width: int) -> str:
    """Return one line of the table."""
    similarity = "" if quality.ssim is None else f"{quality.ssim:.4f}"
    return f"{name:{width}}  {quality.psnr:9.3f}  {quality.psnr_y:11.3f}  {similarity:>6}  {quality.pictures:8d}"


if __name__ == "__main__":
    sys.exit(run(main))
