"""Command: a network in 8 bits, with what that loses in PSNR and gains in runtime beside its float form."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sr.command import DONE, NOTHING_MEETS_BUDGET, Parser, run
from sr.constraints import AUTO
from sr.files import write_json
from sr.lr_size import parse_size
from sr.quantization.config import QUANTIZED_ENGINES, QuantizeConfig
from sr.terminal import Terminal, say

if TYPE_CHECKING:
    from sr.quantization.run import Quantized


def main(argv: list[str] | None = None) -> int:
    """Quantise a network, write its files, and say what that lost and gained; 3 where it lost more than it may."""
    config, json = parse(argv)
    from sr.quantization.run import quantize_file

    quantized = quantize_file(config, report=Terminal())
    if json:
        write_json(json, quantized.to_json())
    for line in _closing(quantized):
        say(line)
    if quantized.lost_db > config.max_loss_db:
        say(f"it lost {quantized.lost_db:.3f} dB, more than --max-loss-db {config.max_loss_db:g}: "
            f"{'more' if config.fine_tune_steps else 'try some'} --fine-tune-steps, or allow more")  # fmt: skip
        return NOTHING_MEETS_BUDGET
    return DONE


def _closing(quantized: "Quantized") -> list[str]:
    """Return what was chosen, in lines."""
    from sr.quantization.run import describe

    before, after = quantized.float_network, quantized.chosen
    lines = [
        f"{quantized.files.free} and {quantized.files.fixed.name}: {describe(after)}",
        f"{quantized.lost_db:+.3f} dB lost, {before.runtime.median_ms - after.runtime.median_ms:+.2f} ms gained: "
        f"{quantized.runtime_ratio:.2f} of the float file's runtime in {quantized.target.engine}",
    ]
    if after.runtime.precision != "int8":
        lines.append(
            f"{quantized.target.engine} runs most of its convolutions in {after.runtime.precision}, not in int8"
        )
    if not quantized.faster:
        lines.append(f"not faster here: {quantized.why_not_faster}")
    return lines


def parse(argv: list[str] | None) -> tuple[QuantizeConfig, Path | None]:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m sr.quantize",
        description="Write the network of a checkpoint in 8 bits, with dB lost and ms gained beside its float form.",
        example="python -m sr.quantize runs/forty/chosen/network.pth --data DIV2K --val DIV2K --fine-tune-steps 2000",
    )
    parser.add_argument("network", type=Path, metavar="CHECKPOINT", help="a .pth of ours")
    parser.add_argument("--engine", choices=(AUTO, *QUANTIZED_ENGINES), default=AUTO,
                        help="what will run it (default auto: the fastest that is installed)")  # fmt: skip
    parser.add_argument("--lr-size", default="256x256", metavar="WxH",
                        help="LR size of runtimes and of the file of fixed size (default 256x256)")  # fmt: skip
    parser.add_argument("--fine-tune-steps", type=int, default=0, metavar="N",
                        help="of quantisation-aware fine-tuning (default 0: none)")  # fmt: skip
    parser.add_argument("--learning-rate", type=float, default=QuantizeConfig.learning_rate, metavar="X",
                        help=f"the highest of fine-tuning (default {QuantizeConfig.learning_rate:g})")  # fmt: skip
    parser.add_argument("--distillation", type=float, default=0.0, metavar="SHARE",
                        help="of fine-tuning's loss, the distance to the float network (default 0)")  # fmt: skip
    parser.add_argument("--pictures", type=int, default=QuantizeConfig.pictures, metavar="N",
                        help=f"that ranges are read off (default {QuantizeConfig.pictures})")  # fmt: skip
    parser.add_argument("--max-loss-db", type=float, default=QuantizeConfig.max_loss_db, metavar="DB",
                        help=f"of PSNR on --val; over it the exit code is {NOTHING_MEETS_BUDGET} "
                        f"(default {QuantizeConfig.max_loss_db:g})")  # fmt: skip
    parser.add_shared("out", "data", "val", "seed", "json", out=str(QuantizeConfig.out))
    args = parser.parse_args(argv)
    values = {name: value for name, value in vars(args).items() if name != "json"}
    return QuantizeConfig(**values | {"lr_size": parse_size(args.lr_size)}), args.json


if __name__ == "__main__":
    sys.exit(run(main))
