"""From a network to a file that other programs run, parity checked: ONNX, engines' own, PyTorch's, safetensors."""

import copy
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from sr.checkpoint import load_network
from sr.deployment import deploy
from sr.errors import InputError
from sr.export_config import ExportConfig
from sr.files import StrPath, replacing
from sr.lr_size import LrSize, size_text
from sr.measure.engines.network import EngineNetwork, open_network
from sr.measure.engines.registry import file_engine_of
from sr.measure.target import Target
from sr.parity import PARITY_BATCHES, PARITY_SIZES, ExportError, check_parity, parity
from sr.torch_files import WEIGHTS_ENDING, write_program, write_script, write_source


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
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w); left as it is. Deploy it first.
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
        exported = open_network(written, target)
        difference = (
            parity(reference, exported, sizes, PARITY_BATCHES)
            if free_size
            else parity(reference, exported, [target.lr_size])
        )
        check_parity(path, difference)
        # A .bin before the .xml that takes it.
        for each in sorted(Path(folder).iterdir()):
            with replacing(path.with_suffix(each.suffix)) as temporary:
                shutil.copyfile(each, temporary)
    return difference


def write_safetensors(network: nn.Module, path: StrPath) -> float:
    """Write the tensors of a network under their state_dict names.

    Before the file takes its name a copy of the network is run with what it holds.

    Returns:
        The largest absolute difference of that copy's output.

    Raises:
        ExportError: Where that exceeds TOLERANCE; nothing is written.
        InputError: Where safetensors is not installed or the file cannot be written.
    """
    try:
        from safetensors.torch import load_file, save_file
    except ImportError as error:
        raise InputError("writing .safetensors takes safetensors: pip install 'paretosr[export]'") from error
    # Clones, since safetensors refuses tensors that share memory.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    reference = copy.deepcopy(network).cpu().float().eval()
    read = copy.deepcopy(reference)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
        read.load_state_dict(load_file(temporary))
        difference = parity(reference, read, PARITY_SIZES, PARITY_BATCHES)
        check_parity(path, difference)
    return difference


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: The file.
        size: Bytes, those beside it that belong to it included.
        difference: From the network at its largest.
        compared: The sizes and batches that it was compared at, in words.
    """

    path: Path
    size: int
    difference: float
    compared: str


def export_file(config: ExportConfig) -> list[Exported]:
    """Write the network of a checkpoint, deployed, in every format that is asked for.

    Raises:
        InputError: Where the checkpoint cannot be read, a file cannot be written, or what is exported computes
            something else than the network.
    """
    network, stem = deploy(load_network(config.network)), config.network.stem
    written = []
    for name in config.formats:
        form = _FORMATS[name]
        path = config.out / f"{stem}{form.ending}"
        beside = [path.with_suffix(ending) for ending in form.beside]
        _keep_the_checkpoint(config.network, [path, *beside])
        try:
            difference = form.write(network, path, config.lr_size)
        except ExportError as error:
            raise InputError(f"{error}; leave this format out of --format") from error
        fixed = config.lr_size if form.sized else None
        size = sum(each.stat().st_size for each in (path, *beside))
        written.append(Exported(path, size, difference, _compared(fixed)))
    return written


def _keep_the_checkpoint(network: Path, written: list[Path]) -> None:
    """Raise InputError where a file would take the place of the checkpoint that it is made from."""
    for path in written:
        if path.exists() and path.samefile(network):
            raise InputError(f"{path} is the checkpoint itself; name another folder by --out")


def _compared(lr_size: LrSize | None) -> str:
    """Say at which sizes and batches a file was compared."""
    if lr_size is not None:
        return size_text(lr_size)
    return f"{', '.join(map(size_text, PARITY_SIZES))}, batch {' and '.join(map(str, PARITY_BATCHES))}"


def _for_engine(engine: str) -> Callable[[nn.Module, Path, LrSize | None], float]:
    """Return what writes the file of an engine, on the device that it runs on."""

    def write(network: nn.Module, path: Path, lr_size: LrSize | None) -> float:
        target = Target.of("cpu" if engine == "openvino" else "auto", engine=engine)
        target = target if lr_size is None else replace(target, lr_size=lr_size)
        return export_for(target, network, path, free_size=lr_size is None)

    return write


@dataclass(frozen=True)
class _Format:
    """How a format is written.

    Attributes:
        ending: Of its file.
        write: Writes the file for one LR size or, where that is None, for any; returns the difference.
        beside: What else belongs to it: endings in place of the file's.
        sized: Whether a file of it may be for one size.
    """

    ending: str
    write: Callable[[nn.Module, Path, LrSize | None], float]
    beside: tuple[str, ...] = ()
    sized: bool = True


_FORMATS: dict[str, _Format] = {
    "onnx": _Format(".onnx", lambda network, path, lr_size: export_onnx(network, path, lr_size=lr_size)),
    "pt2": _Format(".pt2", lambda network, path, lr_size: write_program(network, path, lr_size=lr_size)),
    "safetensors": _Format(".safetensors", lambda network, path, _: write_safetensors(network, path), sized=False),
    "torchscript": _Format(".torchscript", lambda network, path, lr_size: write_script(network, path, lr_size=lr_size)),
    "py": _Format(
        ".py", lambda network, path, lr_size: write_source(network, path, lr_size=lr_size), beside=(WEIGHTS_ENDING,)
    ),
    "openvino": _Format(".xml", _for_engine("openvino"), beside=(".bin",)),
    "tensorrt": _Format(".plan", _for_engine("tensorrt")),
}
