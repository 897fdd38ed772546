"""Networks in 8 bits beside float, in every engine that is installed: PSNR and runtime of the files themselves.

    python benchmarks/quantization.py chosen.pth ecbsr span rfdn --data DIV2K --val DIV2K --fine-tune-steps 2000 \
        --json quantization.json

A checkpoint is judged and timed: in float, quantised, and quantised after fine-tuning, what stays in float chosen by
measuring as `python -m sr.quantize` does. A name of a hand-designed network is one with random weights, which is timed
alone. All files of a network run in the same rounds, whatever their engine. It exits with 0 whatever comes out: this is
a measurement, not a test.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from machine_paths import shown_command
from torch import nn

from baselines.registry import BASELINES, build
from sr.checkpoint import load, load_network, provenance
from sr.command import DONE, Parser, run
from sr.data.pairs import Pairs
from sr.data.sources import load_pairs
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.lr_size import parse_size
from sr.measure.engines.registry import usable
from sr.measure.latency import Runtime, Subject, measure_subjects
from sr.measure.target import Target
from sr.onnx_graph import onnx_graph
from sr.quantization.calibration import calibration_pictures
from sr.quantization.config import DEFAULT_KEEP, QUANTIZED_ENGINES, QuantizeConfig
from sr.quantization.files import write_files
from sr.quantization.processor import has_dot_products
from sr.quantization.run import quantize
from sr.scale import DEFAULT_SCALE
from sr.terminal import Terminal, say

FLOAT, QUANTIZED, FINE_TUNED = "float32", "int8", "int8, fine-tuned"


@dataclass(frozen=True)
class Asked:
    """Which networks, and how; config: of the quantisation of each, of whatever network and engine."""

    networks: tuple[str, ...]
    engines: tuple[str, ...]
    config: QuantizeConfig
    json: Path | None


@dataclass(frozen=True)
class Form:
    """A network in one engine and one form; psnr: in dB, None where its weights are random."""

    engine: str
    form: str
    keep: str | None
    psnr: float | None
    file: Path
    dtype: str


def main(argv: list[str] | None = None) -> int:
    """Quantise every network for every engine, time all files, and print the table."""
    asked = parse(argv)
    scale = scale_of(asked.networks)
    train = load_pairs(asked.config.data, "train", minimum_lr_side=32, report=Terminal(), scale=scale)
    val = load_pairs(asked.config.val, "val", minimum_lr_side=16, report=Terminal(), scale=scale)
    rows = [row for network in asked.networks for row in rows_of(network, asked, train, val)]
    say("\n".join(table(rows)))
    if asked.json:
        write_json(asked.json, {"rows": rows, **place(asked, argv), "pictures": list(val.names)})
    return DONE


def scale_of(networks: Sequence[str]) -> int:
    """Return the scale of all networks; raises InputError where it is not one, for one table compares them."""
    scales = {DEFAULT_SCALE if name in BASELINES else load(name).description.scale for name in networks}
    if len(scales) > 1:
        raise InputError(f"one table takes networks of one scale, got x{', x'.join(map(str, sorted(scales)))}")
    return scales.pop()


def parse(argv: list[str] | None) -> Asked:
    """Read the command line; raises InputError for a bad value."""
    parser = Parser(
        prog="python benchmarks/quantization.py",
        description="PSNR and runtime of networks in 8 bits beside float, in every engine that is installed.",
        example="python benchmarks/quantization.py chosen.pth ecbsr span --data DIV2K --val DIV2K --json table.json",
    )
    parser.add_argument("networks", nargs="+", metavar="CHECKPOINT_OR_NAME", help="a .pth of ours, or a baseline")
    parser.add_argument("--engines", default=",".join(QUANTIZED_ENGINES), metavar="LIST")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="of runtimes (default 256x256)")
    parser.add_argument("--fine-tune-steps", type=int, default=0, metavar="N", help="default 0: none")
    parser.add_argument("--distillation", type=float, default=0.0, metavar="SHARE", help="of fine-tuning (default 0)")
    parser.add_argument("--learning-rate", type=float, default=QuantizeConfig.learning_rate, metavar="X")
    parser.add_argument("--pictures", type=int, default=QuantizeConfig.pictures, metavar="N", help="for ranges")
    parser.add_argument("--max-loss-db", type=float, default=QuantizeConfig.max_loss_db, metavar="DB")
    parser.add_shared("out", "data", "val", "seed", "json", out="runs/benchmark-quantization")
    values = vars(parser.parse_args(argv))
    networks, engines, json = values.pop("networks"), values.pop("engines"), values.pop("json")
    config = QuantizeConfig(Path("unnamed"), **values | {"lr_size": parse_size(values["lr_size"])})
    return Asked(tuple(networks), tuple(engines.split(",")), config, json)


def rows_of(name: str, asked: Asked, train: Pairs, val: Pairs) -> list[dict[str, Any]]:
    """Return the rows of one network: its forms in every engine, timed in the same rounds."""
    trained = name not in BASELINES
    network = load_network(name) if trained else build(name)
    network = deploy(network)
    label = Path(name).stem if trained else name
    forms = []
    for target in usable(Target(torch.device("cpu"), asked.config.lr_size, "int8"), asked.engines):
        config = replace(asked.config, out=asked.config.out / label / target.engine)
        say(f"{label} in {target.engine}")
        forms += judged(network, target, config, train, val) if trained else timed_alone(network, target, config, train)
    subjects = {
        f"{form.engine} {form.form}": Subject(
            form.file, Target(torch.device("cpu"), asked.config.lr_size, form.dtype, form.engine)
        )
        for form in forms
    }
    return [row(label, form, measured) for form, measured in with_runtimes(forms, measure_subjects(subjects))]


def judged(network: nn.Module, target: Target, config: QuantizeConfig, train: Pairs, val: Pairs) -> list[Form]:
    """Return the forms of a trained network in one engine, with their PSNR."""
    folder = config.out / "float"
    floats = write_files(onnx_graph(network), target.engine, folder, config.lr_size, scale=train.scale)
    steps = {QUANTIZED: 0} | ({FINE_TUNED: config.fine_tune_steps} if config.fine_tune_steps else {})
    forms = []
    for form, count in steps.items():
        out = config.out / ("fine-tuned" if count else "quantized")
        made = quantize(
            network, target, train, val, replace(config, fine_tune_steps=count, out=out), report=Terminal()
        )  # fmt: skip
        if not forms:
            forms.append(Form(target.engine, FLOAT, None, made.float_network.psnr, floats.fixed, "float32"))
        forms.append(Form(target.engine, form, made.chosen.keep, made.chosen.psnr, made.files.fixed, "int8"))
    return forms


def timed_alone(network: nn.Module, target: Target, config: QuantizeConfig, train: Pairs) -> list[Form]:
    """Return the forms of a network with random weights in one engine."""
    graph, pictures = onnx_graph(network), calibration_pictures(train, config.pictures)
    floats = write_files(graph, target.engine, config.out / "float", config.lr_size, scale=train.scale)
    made = write_files(
        graph, target.engine, config.out / "int8", config.lr_size, pictures=pictures, keep=DEFAULT_KEEP,
        scale=train.scale,
    )  # fmt: skip
    return [
        Form(target.engine, FLOAT, None, None, floats.fixed, "float32"),
        Form(target.engine, QUANTIZED, DEFAULT_KEEP, None, made.fixed, "int8"),
    ]


def with_runtimes(forms: Sequence[Form], runtimes: dict[str, Runtime]) -> list[tuple[Form, dict[str, Any]]]:
    """Return every form with its runtime and the ratio to the float one of its engine."""
    floats = {form.engine: runtimes[f"{form.engine} {FLOAT}"].median_ms for form in forms}
    found = []
    for form in forms:
        runtime = runtimes[f"{form.engine} {form.form}"]
        found.append((form, asdict(runtime) | {"ratio": runtime.median_ms / floats[form.engine]}))
    return found


def row(label: str, form: Form, measured: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table as JSON values."""
    described = {name: value for name, value in asdict(form).items() if name != "file"}
    return {"network": label, **described, **measured}


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the rows as lines of a Markdown table."""
    lines = ["| network | engine | form | kept in float | PSNR (dB) | ms | of float | runs in |", "|" + "---|" * 8]
    for each in rows:
        psnr = "" if each["psnr"] is None else f"{each['psnr']:.3f}"
        ms = f"{each['median_ms']:.2f}{'' if each['reliable'] else ' (unreliable)'}"
        cells = [each["network"], each["engine"], each["form"], each["keep"] or "all", psnr, ms]
        lines.append(f"| {' | '.join(cells)} | {each['ratio']:.2f} | {each['precision']} |")
    return lines


def place(asked: Asked, argv: Sequence[str] | None) -> dict[str, Any]:
    """Return where, when and by what command this was measured."""
    conditions = Target(torch.device("cpu"), asked.config.lr_size).conditions
    return {
        "device": conditions.device, "threads": conditions.threads, "versions": conditions.versions,
        "dot_products_of_8_bits": has_dot_products(), "lr_size": list(asked.config.lr_size),
        "fine_tune_steps": asked.config.fine_tune_steps, "date": provenance()["date"],
        "command": shown_command("quantization.py", argv),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))
