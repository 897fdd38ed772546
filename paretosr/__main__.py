"""Command: lists the commands of the project, and runs them."""

import importlib
import importlib.metadata
import sys

from sr.command import DONE, run
from sr.errors import InputError
from sr.terminal import say

# The name of each command, the module that it is, and what it does.
COMMANDS: dict[str, tuple[str, str]] = {
    "search": ("nas.search", "find, train and export a network within a runtime budget"),
    "report": ("nas.report.__main__", "write the page of a search, or show it while the search goes on"),
    "compare": ("nas.compare", "put searches, engines and devices on one page"),
    "pick": ("nas.export", "export any network that a search found"),
    "prune": ("prune.run", "prune a network until it is as fast as asked"),
    "evaluate": ("sr.evaluate", "PSNR and SSIM of a network beside bicubic interpolation's"),
    "upscale": ("sr.upscale", "upscale pictures with all that they carry, in tiles"),
    "export": ("sr.export", "write a network as ONNX, OpenVINO, TensorRT, TorchScript, plain PyTorch or safetensors"),
    "quantize": ("sr.quantize", "write a network in 8 bits, with dB lost and ms gained"),
    "calibrate": ("nas.calibrate", "say which cheap score ranks networks as full training does here"),
    "table": ("baselines.table", "measure the hand-designed networks of the field on this device"),
    "train": ("baselines.train", "train a hand-designed network by its paper's recipe"),
    "convert": ("baselines.convert", "turn official weights of a hand-designed network into a checkpoint"),
    "data": ("sr.data.__main__", "download DIV2K"),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command that is named first, or list all of them; returns the exit code."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        say(usage())
        return DONE
    if name == "--version":
        say(f"paretosr {importlib.metadata.version('paretosr')}")
        return DONE
    if name not in COMMANDS:
        raise InputError(f"a command is one of {', '.join(COMMANDS)}, got {name!r}; see paretosr --help")
    code: int = importlib.import_module(COMMANDS[name][0]).main(rest)
    return code


def usage() -> str:
    """Return the list of the commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join([
        "usage: paretosr COMMAND ...", "",
        "Find, prune and ship a x4 super-resolution network that meets a runtime budget on your own device.", "",
        "commands:", *lines, "",
        "paretosr COMMAND --help tells the flags of a command; paretosr --version the version.", "",
        "example:", "  paretosr search --budget-ms 40",
    ])  # fmt: skip


def entry() -> int:
    """Run as a program."""
    return run(main)


if __name__ == "__main__":
    sys.exit(entry())
