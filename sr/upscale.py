"""Command: upscale pictures by a network in a file, in the engine that runs it, with all that the pictures carry."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sr.command import DONE, SOME_FAILED, Parser, run
from sr.config import FLOAT_DTYPES, PICTURE_FORMATS, UpscaleConfig
from sr.constraints import AUTO, ENGINE_NAMES
from sr.files import write_json
from sr.heartbeat import Heartbeat
from sr.terminal import Terminal, is_redrawn, say

if TYPE_CHECKING:
    from sr.upscaling import UpscaleResult

# So many are named in the last line; each has a line of its own above it.
_NAMED = 8


def main(argv: list[str] | None = None) -> int:
    """Upscale every picture named; the bad ones are named and left out, and the exit code says so."""
    config, json = parse(argv)
    from sr.upscaling import upscale_files

    with Heartbeat(Terminal(), redrawn=is_redrawn()) as report:
        result = upscale_files(config, report=report)
    if json:
        write_json(json, {"network": str(config.network), **_as_json(result)})
    if result.total > 1 or result.failed:
        say(_last_line(result), to_stderr=bool(result.failed))
    return SOME_FAILED if result.failed else DONE


def parse(argv: list[str] | None) -> tuple[UpscaleConfig, Path | None]:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m sr.upscale",
        description="Upscale pictures by the scale of a network. Grey stays grey; depth, transparency, colour profile, "
        "EXIF and XMP, and the frames of animations are kept. Exits with 1 where some pictures failed, each of which "
        "has said why.",
        example="python -m sr.upscale runs/front/best.pth photo.jpg scans/ --out upscaled --skip-existing",
    )
    parser.add_argument("network", type=Path, metavar="NETWORK",
                        help="a .pth of ours, or an .onnx, .xml or .plan; one of a fixed size too")  # fmt: skip
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="pictures, or folders of pictures")
    parser.add_argument("--recursive", action="store_true", help="also the folders inside folders")
    parser.add_argument("--skip-existing", action="store_true", help="leave pictures whose result is there alone")
    parser.add_argument("--format", choices=PICTURE_FORMATS,
                        help="of the results (default png; animations and pages keep theirs)")  # fmt: skip
    parser.add_argument("--quality-level", type=int, metavar="N",
                        help="of jpg and webp, 1 to 100 (default 95 for jpg, no loss for webp)")  # fmt: skip
    parser.add_argument("--to-srgb", action="store_true", help="convert by the colour profile rather than keep it")
    parser.add_argument("--max-pixels", type=int, metavar="N",
                        help="the most pixels of a picture (default about 179 million); what is larger takes memory "
                        "for itself, not for its result, where that is png or tiff")  # fmt: skip
    tile = UpscaleConfig.tile
    tile_help = f"side of a tile in LR pixels, 0 for none (default {tile}); smaller takes less memory"
    parser.add_argument("--tile", type=int, default=tile, metavar="N", help=tile_help)
    parser.add_argument("--engine", choices=(AUTO, *ENGINE_NAMES), default=AUTO,
                        help="what runs it; a .pth is exported for it (default auto: torch for .pth, onnxruntime for "
                        ".onnx, openvino for .xml)")  # fmt: skip
    parser.add_argument("--dtype", choices=FLOAT_DTYPES, default="float32", help="default float32")
    parser.add_shared("out", "device", "json", out=str(UpscaleConfig.out))
    args = vars(parser.parse_args(argv))
    json = args.pop("json")
    return UpscaleConfig(**args | {"pictures": tuple(args["pictures"])}), json


def _as_json(result: "UpscaleResult") -> dict[str, object]:
    done = [
        {"picture": str(each.picture), "result": str(each.result), "seconds": round(each.seconds, 3)}
        for each in result.upscaled
    ]
    return {
        "engine": result.engine,
        "precision": result.precision,
        "scale": result.scale,
        "upscaled": done,
        "skipped": [str(path) for path in result.skipped],
        "failed": [{"picture": str(each.picture), "reason": each.reason} for each in result.failed],
        "left_out": result.left_out,
    }


def _last_line(result: "UpscaleResult") -> str:
    """Say how many were done, and name those that were not."""
    from sr.printable import printable

    line = f"{len(result.upscaled)} of {result.total} pictures upscaled"
    if result.skipped:
        line += f", {len(result.skipped)} skipped whose result is there"
    if not result.failed:
        return line
    named = [printable(each.picture) for each in result.failed[:_NAMED]]
    more = len(result.failed) - len(named)
    return f"{line}, failed: {', '.join(named)}{f' and {more} more' if more else ''}"


if __name__ == "__main__":
    sys.exit(run(main))
