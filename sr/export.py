"""Command: write the network of a checkpoint as files that other programs run."""

import sys
from pathlib import Path

from sr.command import DONE, Parser, run
from sr.config import EXPORT_FORMATS, ExportConfig
from sr.files import write_json
from sr.terminal import say


def main(argv: list[str] | None = None) -> int:
    """Export a network in every format that is asked for, each checked against PyTorch where it can be run."""
    config, json = _parse(argv)
    from sr.exporting import export_file

    exported = export_file(config)
    for each in exported:
        agrees = "" if each.difference is None else f", within {each.difference:.1e} of PyTorch at three sizes"
        say(f"{each.path}: {each.path.stat().st_size / 1e3:,.0f} kB{agrees}")
    if json:
        write_json(json, {each.path.name: each.difference for each in exported})
    return DONE


def _parse(argv: list[str] | None) -> tuple[ExportConfig, Path | None]:
    parser = Parser(
        prog="python -m sr.export",
        description="Write the network of a checkpoint, deployed and in float32, as ONNX, torch.export or safetensors.",
        example="python -m sr.export runs/forty/chosen/network.pth --formats onnx,pt2 --out exported",
    )
    parser.add_argument("network", type=Path, metavar="CHECKPOINT", help="a .pth of ours")
    parser.add_argument("--formats", default=",".join(EXPORT_FORMATS), metavar="LIST",
                        help=f"of {', '.join(EXPORT_FORMATS)} (default all of them)")  # fmt: skip
    parser.add_shared("out", "json", out=str(ExportConfig.out))
    args = parser.parse_args(argv)
    return ExportConfig(args.network, tuple(args.formats.split(",")), args.out), args.json


if __name__ == "__main__":
    sys.exit(run(main))
