"""From a network to a file that other programs run, parity checked: ONNX, engines' own, torch.export, safetensors."""

import copy
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from sr.checkpoint import load_network
from sr.config import ExportConfig
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import StrPath, replacing
from sr.lr_size import LrSize
from sr.measure.engines.network import EngineNetwork, open_network
from sr.measure.engines.registry import file_engine_of
from sr.measure.target import Target

TOLERANCE = 1e-4
# Two pictures, and sides that differ: a batch of 1 or equal sides would be taken for constraints on the network.
_TRACED_SHAPE = (2, 3, 48, 64)
PARITY_SIZES = ((37, 53), (64, 48), (90, 31))


class ExportError(Exception):
    """An exported network that does not compute what the network computes; nothing was written."""


def load_onnx(path: StrPath) -> EngineNetwork:
    """Read an ONNX network of any origin, to be run by onnxruntime.

    Raises:
        InputError: Where it is none or takes something else than one RGB batch in float32.
    """
    return open_network(path, Target(torch.device("cpu"), engine="onnxruntime"))


def export_onnx(
    network: nn.Module, path: StrPath, *, lr_size: LrSize | None = None, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write a network, as it is, as one ONNX file; input "lr", output "sr".

    Before the file takes its name onnxruntime runs it beside the network.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w); left as it is. Deploy it first.
        path: The file.
        lr_size: Height and width of the one picture that it takes, which is a little faster; None leaves batch, height
            and width free.
        sizes: The LR sizes, (height, width), that both are run at where they are free.

    Returns:
        The largest absolute difference from the network in float32 on the CPU.

    Raises:
        ExportError: Where that exceeds TOLERANCE; nothing is written.
        InputError: Where the file cannot be written.
    """
    target = Target(torch.device("cpu"), engine="onnxruntime")
    target = target if lr_size is None else replace(target, lr_size=lr_size)
    return export_for(target, network, path, free_size=lr_size is None, sizes=sizes)


def export_for(
    target: Target, network: nn.Module, path: StrPath, *, free_size: bool = True, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write the file of an engine, which runs it beside the network first; otherwise as `export_onnx`.

    Args:
        target: The engine, device and dtype; its size is that of the file, unless `free_size`.
        network: As for `export_onnx`.
        path: The file; what belongs to it stands beside it, such as the .bin of an OpenVINO .xml.
        free_size: Whether batch, height and width stay free.
        sizes: The LR sizes, (height, width), that both are run at where they are free.

    Returns:
        The largest absolute difference from the network in float32 on the CPU.

    Raises:
        ExportError: Where that exceeds TOLERANCE; nothing is written.
        InputError: Where the engine cannot run it, or a file cannot be written.
    """
    path, reference = Path(path), copy.deepcopy(network).cpu().float().eval()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / path.name
        file_engine_of(target).write(reference, target, written, free_size=free_size)
        difference = parity(reference, open_network(written, target), sizes if free_size else [target.lr_size])
        check_parity(path, difference)
        # A .bin before the .xml that takes it.
        for each in sorted(Path(folder).iterdir()):
            with replacing(path.with_suffix(each.suffix)) as temporary:
                shutil.copyfile(each, temporary)
    return difference


def write_program(
    network: nn.Module, path: StrPath, *, lr_size: LrSize | None = None, sizes: Sequence[LrSize] = PARITY_SIZES
) -> float:
    """Write a network by torch.export (.pt2); otherwise as `export_onnx`.

    Returns:
        The largest absolute difference from the network in float32 on the CPU.

    Raises:
        ExportError: Where that exceeds TOLERANCE; nothing is written.
        InputError: Where the file cannot be written.
    """

    def write(portable: nn.Module, temporary: Path) -> nn.Module:
        free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC} if lr_size is None else None
        lr = torch.rand(_TRACED_SHAPE if lr_size is None else (1, 3, *lr_size))
        program = torch.export.export(portable, (lr,), dynamic_shapes=(free,))
        torch.export.save(program, temporary)
        return torch.export.load(temporary).module()

    return _write_checked(network, path, write, sizes if lr_size is None else [lr_size])


def write_safetensors(network: nn.Module, path: StrPath) -> None:
    """Write the tensors of a network under their state_dict names.

    Raises:
        InputError: Where safetensors is not installed or the file cannot be written.
    """
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise InputError("writing .safetensors takes safetensors: pip install 'paretosr[export]'") from error
    # Clones, since safetensors refuses tensors that share memory.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        size: Bytes, those beside it that belong to it included.
        difference: From the network at its largest; None where the file cannot be run.
    """

    path: Path
    size: int
    difference: float | None


def export_file(config: ExportConfig) -> list[Exported]:
    """Write the network of a checkpoint, deployed, in every format that is asked for.

    Raises:
        InputError: Where the checkpoint cannot be read, a file cannot be written, or what is exported computes
            something else than the network.
    """
    network, stem = deploy(load_network(config.network)), config.network.stem
    written = []
    try:
        for name in config.formats:
            ending, write = _WRITERS[name]
            path = config.out / f"{stem}{ending}"
            difference = write(network, path, config.lr_size)
            beside = [path.with_suffix(".bin")] if name == "openvino" else []
            written.append(Exported(path, sum(each.stat().st_size for each in (path, *beside)), difference))
    except ExportError as error:
        raise InputError(f"{error}; leave this format out of --formats") from error
    return written


def _for_engine(engine: str) -> Callable[[nn.Module, Path, LrSize | None], float]:
    """Return what writes the file of an engine, on the device that it runs on."""

    def write(network: nn.Module, path: Path, lr_size: LrSize | None) -> float:
        target = Target.of("cpu" if engine == "openvino" else "auto", engine=engine)
        target = target if lr_size is None else replace(target, lr_size=lr_size)
        return export_for(target, network, path, free_size=lr_size is None)

    return write


# By the name of the format: the file's ending, and what writes it for one LR size or, where that is None, for any.
_WRITERS: dict[str, tuple[str, Callable[[nn.Module, Path, LrSize | None], float | None]]] = {
    "onnx": (".onnx", lambda network, path, lr_size: export_onnx(network, path, lr_size=lr_size)),
    "pt2": (".pt2", lambda network, path, lr_size: write_program(network, path, lr_size=lr_size)),
    "safetensors": (".safetensors", lambda network, path, _: write_safetensors(network, path)),
    "openvino": (".xml", _for_engine("openvino")),
    "tensorrt": (".plan", _for_engine("tensorrt")),
}


def _write_checked(
    network: nn.Module, path: StrPath, write: Callable[[nn.Module, Path], nn.Module], sizes: Sequence[LrSize]
) -> float:
    """Write a network by `write`, which returns what its file holds, and return how much that differs from it."""
    # What every export holds: float32 in eval mode.
    portable = copy.deepcopy(network).cpu().float().eval()
    with replacing(path) as temporary:
        exported = write(portable, temporary)
        difference = parity(portable, exported, sizes)
        check_parity(path, difference)
    return difference


def parity(network: nn.Module, exported: nn.Module, sizes: Sequence[LrSize]) -> float:
    """Compare two networks over random pictures.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w).
        exported: What should compute the same.
        sizes: The (height, width) of the pictures.

    Returns:
        The largest absolute difference; NaN where either gives one, infinity where their shapes differ.
    """
    generator = torch.Generator().manual_seed(0)
    largest = torch.zeros(())
    with torch.inference_mode():
        for height, width in sizes:
            lr = torch.rand(1, 3, height, width, generator=generator)
            ours, theirs = network(lr), exported(lr)
            if ours.shape != theirs.shape:
                return float("inf")
            largest = torch.maximum(largest, (ours - theirs).abs().max())
    return float(largest)


def check_parity(path: StrPath, difference: float) -> None:
    """Check the difference of an export from its network.

    Raises:
        ExportError: Where it exceeds TOLERANCE or is NaN.
    """
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{path} was not written: an export must be within {TOLERANCE:g} of the network, but it differs by "
            f"{difference:.3g}"
        )
