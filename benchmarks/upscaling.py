"""Upscaling: seconds per megapixel and peak memory of `sr.upscale`, per engine, on photographs of 4K.

    python benchmarks/upscaling.py runs/forty/chosen/network.pth --data photos --json upscaling.json

The photographs are those in --data, cropped to the shape and, where they are of another size, enlarged or shrunk to it:
it is the number of pixels that counts here. Each engine is the command in a process of its own, from reading to writing
PNG, start-up left out of the seconds. With --large one picture of that size, such as 14000x13600 for 190 megapixels,
goes through the first engine as well: its peak is to stay under 4 GiB. Results take some 20 bytes of --scratch for each
LR pixel, and go once they are measured. What is measured stands in the JSON as soon as it is.

It exits with 0 whatever comes of it: these are measurements, not tests.
"""

import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from machine_paths import shown_command, without_folders
from PIL import Image, ImageOps

from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.data.images import picture_paths
from sr.files import write_json
from sr.lr_size import LrSize, parse_size, size_text
from sr.measure.target import Target
from sr.terminal import say

FAILED = 1
ENGINES = ("torch", "onnxruntime", "openvino")
SIZE = (2160, 3840)
PICTURES = 8
# What one picture of 190 megapixels may take.
MOST_BYTES = 4 * 2**30


def main(argv: list[str] | None = None) -> int:
    """Measure each engine, print it, and write it as JSON."""
    args = parse(argv)
    # The command that it runs ends with it, and some GiB of pictures go, also where `timeout` ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    conditions = {engine: Target.of(args.device, engine=engine).conditions for engine in args.engines}
    first = conditions[args.engines[0]]
    figures: dict[str, Any] = {
        "command": shown_command("upscaling.py", argv), "date": provenance()["date"], "network": args.network.name,
        "device": first.device, "threads": first.threads,
        "versions": {engine: each.versions for engine, each in conditions.items()},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=args.scratch, prefix="paretosr-upscaling-") as scratch:
        folder = Path(scratch)
        figures["made_from"] = _made_apart(args.data, folder / "in", args.size, args.pictures)
        figures["runs"] = []
        for engine in args.engines:
            figures["runs"].append(measured(args, engine, folder / "in", folder / "out", args.size))
            _write(args.json, figures)
        if args.large:
            shutil.rmtree(folder / "in")
            figures["made_from"] += _made_apart(args.data, folder / "large", args.large, 1)
            large = measured(args, args.engines[0], folder / "large", folder / "out", args.large)
            figures["runs"].append(large | {"under_4_gib": large["peak_bytes"] < MOST_BYTES})
            _write(args.json, figures)
    return DONE


def _made_apart(data: Path, folder: Path, size: LrSize, count: int) -> list[str]:
    """Make pictures in a process of its own: what this one ever held counts for the commands that it starts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(make_pictures, data, folder, size, count).result()


def _write(path: Path | None, figures: dict[str, Any]) -> None:
    """Write what was measured so far, where it is to be."""
    if path:
        write_json(path, figures)


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


def make_pictures(data: Path, folder: Path, size: LrSize, count: int) -> list[str]:
    """Write so many pictures of a size, the ones of `data` again and again where they are fewer.

    Returns:
        What each is made from: the name and the size of a file.
    """
    folder.mkdir(parents=True)
    sources = picture_paths(data)
    made_from = []
    for index in range(count):
        source = sources[index % len(sources)]
        with Image.open(source) as image:
            made_from.append(f"{source.name}, {image.width}x{image.height}")
            fitted = ImageOps.fit(image.convert("RGB"), (size[1], size[0]), Image.Resampling.BICUBIC)
        fitted.save(folder / f"{index}.png", compress_level=1)
    return made_from


def measured(args: Namespace, engine: str, pictures: Path, out: Path, size: LrSize) -> dict[str, Any]:
    """Run the command in a process of its own and return what it took; what it said where it failed."""
    report = out.with_suffix(".json")
    command = [
        sys.executable, "-m", "sr.upscale", str(args.network), str(pictures), "--out", str(out), "--engine", engine,
        "--device", args.device, "--json", str(report), "--max-pixels", str(size[0] * size[1]),
    ]  # fmt: skip
    command += [] if args.tile is None else ["--tile", str(args.tile)]
    say(f"{engine}, {size_text(size)}:")
    began = time.monotonic()
    said, code, peak = _watched(command)
    shutil.rmtree(out, ignore_errors=True)
    entry: dict[str, Any] = {
        "engine": engine, "size": size_text(size), "exit_code": code, "wall_seconds": time.monotonic() - began,
        "peak_bytes": peak,
    }  # fmt: skip
    if code != DONE:
        entry["said"] = [without_folders(line) for line in said[-3:]]
        say(f"{engine:12} {size_text(size)}: failed, {' / '.join(entry['said'])}")
        return entry
    seconds = [each["seconds"] for each in json.loads(report.read_text())["upscaled"]]
    per_megapixel = statistics.median(seconds) / (size[0] * size[1] / 1e6)
    entry |= {"pictures": len(seconds), "seconds": seconds, "seconds_per_lr_megapixel": per_megapixel}
    say(
        f"{engine:12} {size_text(size)}, {len(seconds)} pictures: {per_megapixel:.3f} s per LR megapixel (median), "
        f"peak {peak / 2**30:.2f} GiB"
    )
    return entry


def _watched(command: list[str]) -> tuple[list[str], int, int]:
    """Run a command and show what it says as it says it; return that, its exit code and the most memory it held."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(  # noqa: S603 - the command of this package
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    try:
        with process.stdout as lines:
            for line in lines:
                said.append(line.rstrip())
                say(f"  {said[-1]}")
    except BaseException:
        process.kill()
        raise
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # In KiB, but for macOS.
    return said, process.returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(run(main))
