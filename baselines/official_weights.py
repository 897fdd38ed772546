"""Official weights of a baseline in, a checkpoint of ours out."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from baselines.config import ConvertConfig
from baselines.registry import BASELINES, check_network, scaled
from baselines.weights.choice import Choice, choose
from baselines.weights.files import NamedTensors, read
from baselines.weights.layouts import known_names, ours
from baselines.weights.sizes import Shape, closest_config, fitting_scales, same, shapes_of
from sr import checkpoint
from sr.errors import InputError
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE

# Of a network's tensors, how many have to be there by their names for weights to be called that network's.
_RECOGNISED = 0.8
_OTHER_SCALES = (1, 2, 3, 8)
_CONVERTED = {"float16", "bfloat16", "float64"}


def convert_file(config: ConvertConfig, report: Report = no_report) -> checkpoint.Checkpoint:
    """Convert one file, write the checkpoint and return it; raises InputError as `convert` and `read` do."""
    _check_known(config.name, config.scale)
    converted = _converted(config.name, read(config.weights), config.scale, report)
    checkpoint.save(config.out, converted)
    return converted


def convert(
    name: str, tensors: Mapping[str, Tensor], report: Report = no_report, *, scale: int | None = None
) -> checkpoint.Checkpoint:
    """Return official weights as a checkpoint of a baseline.

    Args:
        name: One of `known_names`.
        tensors: By their official names, with any prefix before all of them; those of a training form are folded.
        report: Is told what was chosen, inferred and changed.
        scale: How many times they enlarge; None to find it by their shapes.

    Raises:
        InputError: Where `name` has no official weights or no such scale, or naming the tensors that are unknown,
            missing, of another shape or not finite.
    """
    _check_known(name, scale)
    return _converted(name, [NamedTensors("", tensors)], scale, report)


def _converted(name: str, sets: list[NamedTensors], scale: int | None, report: Report) -> checkpoint.Checkpoint:
    choice = choose(sets, lambda tensors: _recognised(name, tensors))
    _report_choice(choice, report)
    found = ours(name, choice.tensors)
    config = _config(name, choice, found, scale, report)
    wanted = shapes_of(name, config)
    for fault, good in (("not of floating point", Tensor.is_floating_point), ("not finite", _finite)):
        _refuse(name, fault, [key for key in wanted if not good(found[key])])
    if config:
        size = ", ".join(f"{key}={value}" for key, value in config.items())
        report(Message(f"they fit {name} with {size}", aside=True))
    others = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in choice.tensors.values()} & _CONVERTED)
    if others:
        report(Message(f"converted from {' and '.join(others)} to float32", aside=True))
    return checkpoint.Checkpoint(
        description=checkpoint.Description("baseline", {"name": name, **config}),
        tensors={key: found[key].float().reshape(shape) for key, shape in wanted.items()},
        provenance={"source": "official weights"},
    )


def _finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _report_choice(choice: Choice, report: Report) -> None:
    """Say what was taken of a file that holds more than one network's weights once."""
    if choice.others:
        others = ", ".join(place or "the top" for place in choice.others)
        report(Message(f"took the weights of {choice.place or 'the top'}; left those of {others}", aside=True))
    if choice.aside:
        report(Message(f"left {len(choice.aside)} tensors outside of {choice.place}", aside=True))


def _config(
    name: str, choice: Choice, found: Mapping[str, Tensor], scale: int | None, report: Report
) -> dict[str, Any]:
    """Return the config that every tensor fits; raises InputError where there is none, saying what they seem to be."""
    infer = BASELINES[name].official_config
    try:
        start = infer(found) if infer else {}
    except InputError as error:
        raise InputError(_as_another(name, choice) or str(error)) from error
    shapes = {key: tuple(tensor.shape) for key, tensor in found.items()}
    config, misfits = closest_config(name, shapes, start, scale)
    if not misfits:
        if scale is None:
            _check_scale_is_told(name, fitting_scales(name, config, shapes), report)
        return config
    _refuse_other_scale(name, shapes, start, scale)
    _refuse_other_task(name, config, shapes)
    another = _as_another(name, choice)
    if another:
        raise InputError(another)
    wanted = shapes_of(name, scaled(start, scale or DEFAULT_SCALE))
    _refuse(name, "unknown", [key for key in found if key not in wanted])
    _refuse(name, "missing", [key for key in wanted if key not in found])
    _refuse(name, "differently shaped", [key for key in wanted if not same(wanted[key], shapes[key])])
    raise AssertionError("what does not fit is unknown, missing or differently shaped")


def _check_scale_is_told(name: str, fitting: tuple[int, ...], report: Report) -> None:
    """Say which scale is taken where shapes leave it open; raises InputError where none of these is the usual one."""
    if len(fitting) == 1:
        return
    possible = _alternatives(fitting)
    if DEFAULT_SCALE not in fitting:
        raise InputError(f"these weights of {name} are {possible}, which their shapes do not tell: give --scale")
    report(
        Message(f"took them to be x{DEFAULT_SCALE}: their shapes fit {possible}, and --scale says which", aside=True)
    )


def _refuse_other_scale(name: str, shapes: Mapping[str, Shape], start: Mapping[str, Any], scale: int | None) -> None:
    """Raise InputError for weights that fit a network at another scale than they are said to have."""
    if scale is None:
        return
    config, misfits = closest_config(name, shapes, start)
    if not misfits:
        possible = _alternatives(fitting_scales(name, config, shapes))
        raise InputError(f"these weights of {name} are {possible}, not x{scale}")


def _alternatives(scales: tuple[int, ...]) -> str:
    return " or ".join(f"x{scale}" for scale in scales)


def _refuse_other_task(name: str, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """Raise InputError for weights that read luma alone or enlarge as the network here never does."""
    wanted = shapes_of(name, config)
    if wanted.keys() != shapes.keys():
        return
    scale = config.get("scale", DEFAULT_SCALE)
    misshaped = [key for key in wanted if not same(wanted[key], shapes[key]) and len(wanted[key]) == 4]
    for key in misshaped:
        if wanted[key][1] == 3 and shapes[key][1:2] == (1,):
            raise InputError(f"these weights of {name} read luma alone ({key} has 1 channel): networks here read RGB")
        for other in _OTHER_SCALES:
            if not wanted[key][0] % (3 * scale**2) and shapes[key][0] * scale**2 == wanted[key][0] * other**2:
                known = ", ".join(f"x{each}" for each in BASELINES[name].scales)
                raise InputError(
                    f"these weights of {name} enlarge {other} times ({key} has {shapes[key][0]} outputs): here it is "
                    f"{known}"
                )


def _as_another(name: str, choice: Choice) -> str | None:
    """Return the line that names the network whose weights these are, where it is another one."""
    counts = {}
    for other in known_names():
        try:
            counts[other] = _share(other, choice.tensors)
        except InputError:
            continue
    if not counts:
        return None
    best = max(counts, key=lambda other: (counts[other], other == name))
    if best == name or counts[best] < _RECOGNISED:
        return None
    return f"these are not {name}'s official weights, but look like {best}'s: python -m baselines.convert {best} ..."


def _share(name: str, tensors: Mapping[str, Tensor]) -> float:
    """Return which share of the names, ours and theirs, both have."""
    wanted, found = shapes_of(name, {}).keys(), ours(name, tensors).keys()
    return len(wanted & found) / max(1, len(wanted | found))


def _recognised(name: str, tensors: Mapping[str, Tensor]) -> int:
    """Return how many names are those of a network."""
    return len(shapes_of(name, {}).keys() & ours(name, tensors).keys())


def _check_known(name: str, scale: int | None) -> None:
    if name not in known_names():
        raise InputError(f"official weights are known for {', '.join(known_names())}; got {name!r}")
    if scale is not None:
        check_network(name, scale)


def _refuse(name: str, fault: str, keys: list[str]) -> None:
    """Raise InputError if there are `keys`, naming the first of them and how many more."""
    if keys:
        more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
        raise InputError(f"these are not {name}'s official weights: {fault} {', '.join(keys[:4])}{more}")
