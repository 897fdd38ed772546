"""Command: lists the commands for pictures and networks in files."""

import sys

from sr.command import list_commands, run

# What each command does, by its name in this package.
COMMANDS = {
    "evaluate": "PSNR and SSIM of a network beside bicubic interpolation's",
    "upscale": "upscale pictures with all that they carry, in tiles",
    "export": "write a network as ONNX, OpenVINO, TensorRT, TorchScript, plain PyTorch or safetensors",
    "quantize": "write a network in 8 bits, with dB lost and ms gained",
    "data": "download DIV2K",
}


def main(argv: list[str] | None = None) -> int:
    """Say the commands, a line each; returns the exit code."""
    return list_commands(
        "sr", "Pictures and networks in files: judge, upscale, export, quantise, download.", COMMANDS, argv
    )


if __name__ == "__main__":
    sys.exit(run(main))
