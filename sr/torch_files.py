"""Networks as files that PyTorch alone runs: torch.export's program, TorchScript, plain source code."""

import copy
import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.files import StrPath, replacing
from sr.lr_size import LrSize, size_text
from sr.network_scale import scale_of
from sr.parity import PARITY_BATCHES, PARITY_SIZES, check_parity, parity
from sr.plain_source import plain_source

# Two pictures, and sides that differ: a batch of 1 or equal sides would be taken for constraints on the network.
_TRACED_SHAPE = (2, 3, 48, 64)
WEIGHTS_ENDING = ".weights.pt"
_SOURCE_ENDING = ".py"
# What tracing and compiling raise.
_FAILURES = (RuntimeError, ValueError, TypeError, AssertionError)


def write_program(
    network: nn.Module, path: StrPath, *, lr_size: LrSize | None = None, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write a network, as it is, by torch.export (.pt2).

    Before the file takes its name it is read again and run beside the network.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w); left as it is. Deploy it first.
        path: The file.
        lr_size: Height and width of the one picture that it takes; None leaves batch, height and width free.
        sizes: The LR sizes, (height, width), that both are run at where they are free.

    Returns:
        The largest absolute difference from the network in float32 on the CPU.

    Raises:
        ExportError: Where that exceeds TOLERANCE; nothing is written.
        InputError: Where the network cannot be traced at such sizes or the file cannot be written.
    """

    def write(program: ExportedProgram, temporary: Path) -> nn.Module:
        torch.export.save(program, temporary)
        return torch.export.load(temporary).module()

    return _write(network, Path(path), write, lr_size, sizes)


def write_script(
    network: nn.Module, path: StrPath, *, lr_size: LrSize | None = None, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write a network as TorchScript, compiled from its plain source; otherwise as `write_program`."""

    def write(program: ExportedProgram, temporary: Path) -> nn.Module:
        plain = _write_plain(program, temporary.with_suffix(_SOURCE_ENDING), lr_size)
        with warnings.catch_warnings():
            # That torch.export is to follow it; it is what C++ and phones that have it run.
            warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
            torch.jit.save(torch.jit.script(plain), temporary)
            read: nn.Module = torch.jit.load(temporary)
        for beside in (_SOURCE_ENDING, WEIGHTS_ENDING):
            temporary.with_suffix(beside).unlink()
        return read

    return _write(network, Path(path), write, lr_size, sizes)


def write_source(
    network: nn.Module, path: StrPath, *, lr_size: LrSize | None = None, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write a network as Python that needs PyTorch alone (.py), its weights beside it; otherwise as `write_program`.

    The module has a class `Network` and a function `load`; the weights, which end in WEIGHTS_ENDING, are plain tensors
    that it reads with weights_only=True.
    """

    def write(program: ExportedProgram, temporary: Path) -> nn.Module:
        return _write_plain(program, temporary, lr_size)

    return _write(network, Path(path), write, lr_size, sizes)


def _write(
    network: nn.Module,
    path: Path,
    write: Callable[[ExportedProgram, Path], nn.Module],
    lr_size: LrSize | None,
    sizes: Sequence[LrSize],
) -> float:
    """Trace a network, write it by `write`, which returns what its file holds, and return how much that differs."""
    # What every export holds: float32 in eval mode.
    reference = copy.deepcopy(network).cpu().float().eval()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / path.name
        try:
            exported = write(_traced(reference, lr_size), written)
        except _FAILURES as error:
            way_out = "; name one size by --lr-size, or leave" if lr_size is None else "; leave"
            raise InputError(
                f"{type(network).__name__} cannot be written as {path.suffix.removeprefix('.')}: "
                f"{one_line(error, 160)}{way_out} this format out"
            ) from error
        if lr_size is None:
            difference = parity(reference, exported, sizes, PARITY_BATCHES)
        else:
            difference = parity(reference, exported, [lr_size])
        check_parity(path, difference)
        # The weights before the code that reads them.
        for each in sorted(Path(folder).iterdir(), key=lambda file: file == written):
            with replacing(path.with_name(each.name)) as temporary:
                shutil.copyfile(each, temporary)
    return difference


def _traced(network: nn.Module, lr_size: LrSize | None) -> ExportedProgram:
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC} if lr_size is None else None
    lr = torch.rand(_TRACED_SHAPE if lr_size is None else (1, 3, *lr_size))
    with torch.no_grad():
        return torch.export.export(network, (lr,), dynamic_shapes=(free,))


def _write_plain(program: ExportedProgram, path: Path, lr_size: LrSize | None) -> nn.Module:
    """Write the source of a program and its weights, and return the network that they are."""
    one = "" if lr_size is None else f", one picture of {size_text(lr_size)} pixels"
    scale = scale_of(program.module(), (None, None) if lr_size is None else lr_size)
    takes = f"(n, 3, h, w) in [0, 1]{one}, to (n, 3, {scale}h, {scale}w)"
    source = plain_source(program, takes, WEIGHTS_ENDING, scale)
    path.write_text(source.code, encoding="utf-8")
    tensors = {name: tensor.clone().contiguous() for name, tensor in source.tensors.items()}
    torch.save(tensors, path.with_suffix(WEIGHTS_ENDING))
    return _loaded(path)


def _loaded(path: Path) -> nn.Module:
    """Return the network of a module that `_write_plain` wrote a moment ago."""
    spec = importlib.util.spec_from_file_location("plain_network", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The code that Python compiled is of no use to anybody.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    network: nn.Module = module.load()
    return network
