"""Command: official weights of a baseline in, a checkpoint of ours out."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines import (
    bsrn,
    build,
    disp,
    efdn,
    fmen,
    gcsr,
    imdn,
    larvanet,
    latticenet,
    maffsrn,
    msrresnet,
    pan,
    rfdn,
    rlfn,
    span,
    spanv2,
)
from sr import checkpoint
from sr.command import DONE, Parser, run, say
from sr.errors import InputError

# Fragments of official parameter names and what they are called here, replaced in this order.
KEYS: dict[str, Mapping[str, str]] = {
    "msrresnet": msrresnet.OFFICIAL_KEYS,
    "bsrn": bsrn.OFFICIAL_KEYS,
    "imdn": imdn.OFFICIAL_KEYS,
    "imdn_paper": imdn.OFFICIAL_PAPER_KEYS,
    "rfdn": rfdn.OFFICIAL_KEYS,
    "pan": pan.OFFICIAL_KEYS,
    "latticenet": latticenet.OFFICIAL_KEYS,
    "gcsr": gcsr.OFFICIAL_KEYS,
    "maffsrn": maffsrn.OFFICIAL_KEYS,
    "larvanet": larvanet.OFFICIAL_KEYS,
    "rlfn": rlfn.OFFICIAL_KEYS,
    "efdn": efdn.OFFICIAL_KEYS,
    "fmen": fmen.OFFICIAL_KEYS,
    "span": span.OFFICIAL_KEYS,
    "disp": disp.OFFICIAL_KEYS,
    "spanv2": spanv2.OFFICIAL_KEYS,
}
# What tells the form of a network from its renamed tensors, where files of several forms exist.
FORMS: dict[str, Callable[[Mapping[str, Tensor]], dict[str, Any]]] = {
    "larvanet": lambda tensors: {"legs": any(key.startswith("legs.") for key in tensors)},
    "rlfn": lambda tensors: {
        "num_feat": width(tensors, "head.weight"),
        "mid_feat": width(tensors, "blocks.0.c1_r.weight"),
        "num_block": sum(key.endswith(".c1_r.weight") for key in tensors),
    },
    "span": lambda tensors: {"num_feat": width(tensors, "head.weight")},
}
# Where training frameworks keep the weights in their files; an average over the training goes before its last step.
WRAPPERS = ("params_ema", "params", "state_dict", "model")


def convert(name: str, tensors: Mapping[str, Tensor]) -> checkpoint.Checkpoint:
    """Return official weights as a checkpoint of baseline `name`.

    Raises InputError where `name` has no official weights, or naming the tensors that are unknown, missing, of
    another shape or not finite.
    """
    if name not in KEYS:
        raise InputError(f"official weights are known for {', '.join(KEYS)}; got {name!r}")
    ours = {renamed(key, KEYS[name]): tensor for key, tensor in tensors.items()}
    config = FORMS[name](ours) if name in FORMS else {}
    wanted = build(name, **config).state_dict()
    complain(name, "unknown", [key for key in tensors if renamed(key, KEYS[name]) not in wanted])
    complain(name, "missing", [key for key in wanted if key not in ours])
    complain(name, "differently shaped", [key for key in wanted if wanted[key].shape != ours[key].shape])
    complain(name, "not finite", [key for key in wanted if not torch.isfinite(ours[key]).all()])
    return checkpoint.Checkpoint(
        description=checkpoint.Description("baseline", {"name": name, **config}),
        tensors={key: ours[key].float() for key in wanted},
        provenance={"source": "official weights"},
    )


def renamed(key: str, fragments: Mapping[str, str]) -> str:
    """Return our name of the official parameter `key`."""
    key = key.removeprefix("module.")
    for official, ours in fragments.items():
        key = key.replace(official, ours)
    return key


def complain(name: str, fault: str, keys: list[str]) -> None:
    """Raise InputError if there are `keys`, naming the first of them and how many more."""
    if keys:
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        raise InputError(f"these are not {name}'s official weights: {fault} {', '.join(keys[:4])}{more}")


def width(tensors: Mapping[str, Tensor], key: str) -> int:
    """Return the number of output channels of the convolution kernel `key`; InputError where there is none."""
    if key not in tensors:
        raise InputError(f"these are not the official weights: nothing in them becomes {key}; check the NAME")
    return tensors[key].shape[0]


def read(path: Path) -> dict[str, Tensor]:
    """Read a file of weights without running anything in it: plain tensors, or those in one of `WRAPPERS`."""
    if not path.is_file():
        raise InputError(f"no weights at {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path} is no file of tensors (truncated, or a pickle of something else)") from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} must hold named tensors, flat or under one of {', '.join(WRAPPERS)}")
    return content


def main(argv: list[str] | None = None) -> int:
    """Convert one file."""
    parser = Parser(
        prog="python -m baselines.convert",
        description="Convert the official weights of a baseline into a checkpoint.",
        example="python -m baselines.convert rfdn RFDN_AIM.pth --out rfdn.pth",
    )
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(KEYS)}")
    parser.add_argument("weights", type=Path, metavar="official.pth", help="the file that the authors published")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="the checkpoint to write")
    args = parser.parse_args(argv)
    converted = convert(args.name, read(args.weights))
    checkpoint.save(args.out, converted)
    say(f"{args.name}: {len(converted.tensors)} tensors written to {args.out}")
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))
