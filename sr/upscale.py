"""Command: upscale pictures x4 by a network in a file, in the engine that runs it, in tiles where they are large."""

import sys
from pathlib import Path

from sr.command import BAD_INPUT, DONE, Parser, run
from sr.config import FLOAT_DTYPES, UpscaleConfig
from sr.constraints import AUTO, ENGINE_NAMES
from sr.files import write_json
from sr.terminal import Terminal, say


def main(argv: list[str] | None = None) -> int:
    """Upscale every picture named; the broken ones are named and left out, and the exit code says so."""
    config, json = _parse(argv)
    from sr.upscaling import upscale_files

    result = upscale_files(config, report=Terminal())
    if json:
        done = [
            {"picture": str(each.picture), "result": str(each.result), "seconds": round(each.seconds, 3)}
            for each in result.upscaled
        ]
        ran = {"network": str(config.network), "engine": result.engine, "precision": result.precision}
        write_json(json, {**ran, "upscaled": done, "failed": len(result.failed)})
    if not result.failed:
        return DONE
    say(f"{len(result.failed)} of {len(result.failed) + len(result.upscaled)} pictures failed", to_stderr=True)
    return BAD_INPUT


def _parse(argv: list[str] | None) -> tuple[UpscaleConfig, Path | None]:
    parser = Parser(
        prog="python -m sr.upscale",
        description="Upscale pictures x4. Transparency and 16 bit are kept.",
        example="python -m sr.upscale runs/front/best.pth photo.jpg scans/ --out upscaled",
    )
    parser.add_argument("network", type=Path, metavar="NETWORK",
                        help="a .pth of ours, or an .onnx, .xml or .plan")  # fmt: skip
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE", help="pictures, or folders of pictures")
    tile = UpscaleConfig.tile
    tile_help = f"side of a tile in LR pixels, 0 for none (default {tile}); smaller takes less memory"
    parser.add_argument("--tile", type=int, default=tile, metavar="N", help=tile_help)
    parser.add_argument("--engine", choices=(AUTO, *ENGINE_NAMES), default=AUTO,
                        help="what runs it; a .pth is exported for it (default auto: torch for .pth, onnxruntime for "
                        ".onnx, openvino for .xml)")  # fmt: skip
    parser.add_argument("--dtype", choices=FLOAT_DTYPES, default="float32", help="default float32")
    parser.add_shared("out", "device", "json", out=str(UpscaleConfig.out))
    args = parser.parse_args(argv)
    config = UpscaleConfig(
        args.network, tuple(args.pictures), args.out, args.device, args.tile, args.engine, args.dtype
    )
    return config, args.json


if __name__ == "__main__":
    sys.exit(run(main))
