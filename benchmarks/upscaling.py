"""Upscaling: seconds per megapixel and peak memory of `sr.upscale`, per engine, on photographs of 4K.

    python benchmarks/upscaling.py runs/forty/chosen/network.pth --data photos --json upscaling.json

The photographs are made from those in --data, cropped to the shape and enlarged or shrunk to the size: it is the number
of pixels that counts here. Each engine is the command in a process of its own, from reading to writing PNG, start-up
left out of the seconds. With --large one picture of that size, such as 14000x13600 for 190 megapixels, goes through the
first engine as well: its peak is to stay under 4 GiB.

It exits with 0 whatever comes of it: these are measurements, not tests.
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from sr.command import DONE, Parser, run
from sr.data.images import picture_paths
from sr.files import write_json
from sr.lr_size import LrSize, parse_size, size_text
from sr.terminal import say

ENGINES = ("torch", "onnxruntime", "openvino")
SIZE = (2160, 3840)
PICTURES = 8


def main(argv: list[str] | None = None) -> int:
    """Measure each engine, print it, and write it as JSON."""
    args = parse(argv)
    found = []
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        folder = Path(scratch)
        make_pictures(args.data, folder / "in", args.size, args.pictures)
        found = [measured(args, engine, folder / "in", folder / "out", args.size) for engine in args.engines]
        if args.large:
            make_pictures(args.data, folder / "large", args.large, 1)
            found.append(measured(args, args.engines[0], folder / "large", folder / "out", args.large))
    if args.json:
        made_by = shlex.join(["python", "benchmarks/upscaling.py", *(sys.argv[1:] if argv is None else argv)])
        write_json(
            args.json, {"command": made_by, "network": str(args.network), "cores": os.cpu_count(), "runs": found}
        )
    return DONE


def parse(argv: list[str] | None) -> Namespace:
    """Return what is asked for."""
    parser = Parser(
        prog="python benchmarks/upscaling.py",
        description="Seconds per megapixel and peak memory of sr.upscale, per engine.",
        example="python benchmarks/upscaling.py runs/forty/chosen/network.pth --data photos --json upscaling.json",
    )
    parser.add_argument("network", type=Path, metavar="NETWORK", help="a .pth of ours, or what the engines run")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="photographs of any size")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="default all three")
    parser.add_argument("--size", type=parse_size, default=SIZE, metavar="WxH", help="of the pictures (default 4K)")
    parser.add_argument("--pictures", type=int, default=PICTURES, metavar="N", help=f"how many (default {PICTURES})")
    parser.add_argument("--large", type=parse_size, metavar="WxH", help="also one picture of this size")
    parser.add_argument("--tile", type=int, metavar="N", help="as of sr.upscale")
    parser.add_argument("--scratch", type=Path, metavar="DIR",
                        help="where pictures and results lie meanwhile: some GiB (default the system's)")  # fmt: skip
    parser.add_shared("device", "json")
    return parser.parse_args(argv)


def make_pictures(data: Path, folder: Path, size: LrSize, count: int) -> None:
    """Write so many pictures of a size, the ones of `data` again and again where they are fewer."""
    folder.mkdir(parents=True)
    sources = picture_paths(data)
    for index in range(count):
        with Image.open(sources[index % len(sources)]) as image:
            fitted = ImageOps.fit(image.convert("RGB"), (size[1], size[0]), Image.Resampling.BICUBIC)
        fitted.save(folder / f"{index}.png", compress_level=1)


def measured(args: Namespace, engine: str, pictures: Path, out: Path, size: LrSize) -> dict[str, Any]:
    """Run the command in a process of its own and return what it took; what it said where it failed."""
    report = out.with_suffix(".json")
    command = [
        sys.executable, "-m", "sr.upscale", str(args.network), str(pictures), "--out", str(out), "--engine", engine,
        "--device", args.device, "--json", str(report), "--max-pixels", str(size[0] * size[1]),
    ]  # fmt: skip
    command += [] if args.tile is None else ["--tile", str(args.tile)]
    log = out.with_suffix(".log")
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)  # noqa: S603 - the command of this package
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    entry: dict[str, Any] = {"engine": engine, "size": size_text(size), "exit_code": process.returncode}
    if process.returncode != DONE:
        entry["said"] = log.read_text(errors="replace").splitlines()[-3:]
        say(f"{engine:12} {size_text(size)}: failed, {' / '.join(entry['said'])}")
        return entry
    seconds = [each["seconds"] for each in json.loads(report.read_text())["upscaled"]]
    per_megapixel = statistics.median(seconds) / (size[0] * size[1] / 1e6)
    # In KiB, but for macOS.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    entry |= {
        "pictures": len(seconds),
        "seconds": seconds,
        "seconds_per_lr_megapixel": per_megapixel,
        "peak_bytes": peak,
    }
    say(
        f"{engine:12} {size_text(size)}, {len(seconds)} pictures: {per_megapixel:.3f} s per LR megapixel (median), "
        f"peak {peak / 2**30:.2f} GiB"
    )
    return entry


if __name__ == "__main__":
    sys.exit(run(main))
