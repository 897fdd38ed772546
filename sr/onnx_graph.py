"""A network as an ONNX graph, in the form that engines run fastest."""

import contextlib
import hashlib
import logging
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from sr.checkpoint import one_line
from sr.deployment import portable
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.onnx_operators import operators_worked_out_once

# Two pictures, and sides that differ: a batch of 1 or equal sides would be taken for constraints on the network.
_TRACED_SHAPE = (2, 3, 48, 64)
_FREE = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
_OPSET = 18
# Graphs that are remembered by their structure: those of the networks that are timed again and again.
REMEMBERED = 32


def onnx_graph(network: nn.Module, lr_size: LrSize | None = None) -> bytes:
    """Return a network as ONNX, its weights within; input "lr", output "sr", both float32.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w); left as it is. Deploy it first.
        lr_size: Height and width of the one picture that it takes; None leaves batch, height and width free.

    Returns:
        The content of a file.

    Raises:
        InputError: Where the exporter has no ONNX for an operator of the network.
    """
    lr = torch.rand(_TRACED_SHAPE if lr_size is None else (1, 3, *lr_size))
    with _errors_in_one_line(network):
        return _serialized(_program(network, [lr], free=lr_size is None), ["lr"], free=lr_size is None)


def part_graph(module: nn.Module, inputs: Sequence[Tensor], *, any_weights: bool = False) -> bytes:
    """Return a network or a part of one as ONNX at the sizes of its inputs, which are called in0, in1, ...

    Args:
        module: Left as it is. Deploy it first.
        inputs: What it is called with.
        any_weights: Whether the weights of another of the same structure will do, as where only the runtime is asked
            for: one graph then serves all of them.

    Raises:
        InputError: Where the exporter has no ONNX for one of its operators.
    """
    names = [f"in{number}" for number in range(len(inputs))]
    with _errors_in_one_line(module):
        program = _program(module, inputs, free=False)
        if not any_weights:
            return _serialized(program, names, free=False)
        key = _structure(program)
        if key not in _known:
            _known[key] = _serialized(program, names, free=False)
        _known.move_to_end(key)
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
        return _known[key]


_known: OrderedDict[str, bytes] = OrderedDict()


def _program(module: nn.Module, inputs: Sequence[Tensor], *, free: bool) -> ExportedProgram:
    """Return what the module computes, traced on the CPU in float32."""
    example = tuple(tensor.detach().cpu().float().contiguous() for tensor in inputs)
    shapes = tuple(_FREE for _ in example) if free else None
    with torch.no_grad(), operators_worked_out_once():
        return torch.export.export(portable(module), example, dynamic_shapes=shapes)


def _structure(program: ExportedProgram) -> str:
    """Return what two programs share that differ in their weights alone."""
    placeholders = [str(node.meta["val"].shape) for node in program.graph.nodes if node.op == "placeholder"]
    return hashlib.sha256(f"{program.graph} {placeholders}".encode()).hexdigest()


def _serialized(program: ExportedProgram, names: Sequence[str], *, free: bool) -> bytes:
    """Turn a program into ONNX."""
    with operators_worked_out_once():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=_OPSET,
            input_names=list(names),
            output_names=["sr"],
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},) if free else None,
            external_data=False,
            verbose=False,
        )
    assert exported is not None
    content: bytes = exported.model_proto.SerializeToString()
    return content


@contextlib.contextmanager
def _errors_in_one_line(module: nn.Module) -> Iterator[None]:
    """Silence what the exporter says of itself, and turn its failures into one line."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Operators of packages that we do not use, and the exporter's own deprecations.
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated", category=FutureWarning)
            yield
    except RuntimeError as error:  # the exporter's and the tracer's own, all of them
        name = type(module).__name__
        raise InputError(f"{name} cannot be written as ONNX: {one_line(error)}; leave ONNX out") from error
    finally:
        logger.setLevel(level)
