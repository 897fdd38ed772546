"""Command: PSNR and SSIM of a network in a file, in the engine that runs it, beside plain bicubic's."""

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sr.command import DONE, Parser, run
from sr.config import FLOAT_DTYPES, EvaluateConfig
from sr.constraints import AUTO, ENGINE_NAMES
from sr.files import write_json
from sr.terminal import Terminal, say

if TYPE_CHECKING:
    from sr.data.manifest import Manifest
    from sr.measure.quality import Quality


def main(argv: list[str] | None = None) -> int:
    """Evaluate a network and bicubic interpolation on the same pictures and print both."""
    config, json, per_picture = parse(argv)
    from sr.measure.evaluation import evaluate_file

    found = evaluate_file(config, report=Terminal())
    width = max(len(name) for name in ("network", "bicubic", *found.per_picture))
    say(_counted(found.pictures))
    say(f"{'':{width}}  {'PSNR (dB)':>9}  {'PSNR-Y (dB)':>11}  {'SSIM':>6}  {'pictures':>8}")
    rows = (dict(found.per_picture) if per_picture else {}) | {"network": found.network, "bicubic": found.bicubic}
    for name, quality in rows.items():
        say(_row(name, quality, width))
    if json:
        each = {name: as_json(quality) for name, quality in found.per_picture.items()}
        means = {"network": as_json(found.network), "bicubic": as_json(found.bicubic)}
        ran = {"engine": found.engine, "precision": found.precision, "scale": found.scale}
        write_json(json, {**means, "per_picture": each, **ran, "pictures": found.pictures.to_json()})
    return DONE


def parse(argv: list[str] | None) -> tuple[EvaluateConfig, Path | None, bool]:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m sr.evaluate",
        description="PSNR and SSIM of a network beside bicubic interpolation's, at the network's scale. 8 bit, without "
        "a border of as many pixels as the scale.",
        example="python -m sr.evaluate runs/front/best.pth --val DIV2K --json quality.json",
    )
    parser.add_argument("network", type=Path, metavar="NETWORK",
                        help="a .pth of ours, or an .onnx, .xml or .plan")  # fmt: skip
    parser.add_argument("--engine", choices=(AUTO, *ENGINE_NAMES), default=AUTO,
                        help="what runs it; a .pth is exported for it (default auto: torch for .pth, onnxruntime for "
                        ".onnx, openvino for .xml)")  # fmt: skip
    parser.add_argument("--dtype", choices=FLOAT_DTYPES, default="float32", help="default float32")
    parser.add_argument("--per-picture", action="store_true", help="also one line per picture")
    parser.add_shared("val", "device", "json")
    args = parser.parse_args(argv)
    config = EvaluateConfig(args.network, args.val, args.device, args.engine, args.dtype)
    return config, args.json, args.per_picture


def _counted(pictures: "Manifest") -> str:
    """Say how many pictures the figures are of, and where their LR comes from."""
    given = sum(each.lr is not None for each in pictures.used)
    made = len(pictures.used) - given
    origin = [f"{given} given"] * bool(given) + [f"{made} made by MATLAB's bicubic"] * bool(made)
    return f"{len(pictures.used)} pictures, LR {' and '.join(origin)}"


def as_json(quality: "Quality") -> dict[str, float | None]:
    """Return the figures as JSON holds them: infinity, of equal pictures, as null."""
    return {name: value if value is None or math.isfinite(value) else None for name, value in asdict(quality).items()}


def _row(name: str, quality: "Quality", width: int) -> str:
    similarity = "" if quality.ssim is None else f"{quality.ssim:.4f}"
    return f"{name:{width}}  {quality.psnr:9.3f}  {quality.psnr_y:11.3f}  {similarity:>6}  {quality.pictures:8d}"


if __name__ == "__main__":
    sys.exit(run(main))
