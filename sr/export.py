"""From a network to a file that other programs run: ONNX, torch.export and safetensors, parity checked."""

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn
from torch.export import Dim

from sr.errors import InputError
from sr.files import replacing

TOLERANCE = 1e-4
# Two pictures, and sides that differ: a batch of 1 or equal sides would be taken for laws of the network.
TRACED_SHAPE = (2, 3, 48, 64)
PARITY_SIZES = ((37, 53), (64, 48), (90, 31))


class ExportError(Exception):
    """An exported network that does not compute what the network computes; nothing was written."""


class OnnxNetwork(nn.Module):
    """A network in an ONNX file, run on the CPU: (n, 3, h, w) float32 in [0, 1] -> (n, 3, 4h, 4w), on lr's device."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        super().__init__()
        self.session = session
        self.input_name = session.get_inputs()[0].name

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; no gradients."""
        array = lr.detach().cpu().float().contiguous().numpy()
        (output,) = self.session.run(None, {self.input_name: array})
        return torch.from_numpy(output).to(lr.device)


def load_onnx(path: Path) -> OnnxNetwork:
    """Read an ONNX network of any origin; InputError where it is none or takes something else than one RGB batch."""
    if not path.is_file():
        raise InputError(f"no ONNX network at {path}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a type per cause, all direct children of Exception
        raise InputError(f"{path} is no ONNX network that onnxruntime can run; export it again") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [entry.shape for entry in (*inputs, *outputs)]
    if len(inputs) != 1 or len(outputs) != 1 or any(len(shape) != 4 or shape[1] != 3 for shape in shapes):
        raise InputError(f"{path}: a network here takes one (n, 3, h, w) and gives one (n, 3, 4h, 4w), got {shapes}")
    if inputs[0].type != "tensor(float)":
        raise InputError(f"{path}: a network here takes float32, got {inputs[0].type}; export it in float32")
    return OnnxNetwork(session)


def export_onnx(network: nn.Module, path: Path, *, sizes: Sequence[tuple[int, int]] = PARITY_SIZES) -> float:
    """Write `network`, as it is, as one ONNX file with free batch, height and width; input "lr", output "sr".

    Before the file takes its name onnxruntime runs it at `sizes` (lr height, width; none is the traced one).
    Returns the largest absolute difference from the network in float32 on the CPU; raises ExportError where that
    exceeds TOLERANCE.
    """
    network = portable(network)
    with replacing(path) as temporary:
        with quiet_export():
            torch.onnx.export(
                network,
                (torch.rand(TRACED_SHAPE),),
                temporary,
                dynamo=True,
                input_names=["lr"],
                output_names=["sr"],
                dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
                external_data=False,
                verbose=False,
            )
        difference = parity(network, load_onnx(temporary), sizes)
        check_parity(path, difference)
    return difference


def write_program(network: nn.Module, path: Path, *, sizes: Sequence[tuple[int, int]] = PARITY_SIZES) -> float:
    """Write `network` by torch.export (.pt2) with free batch, height and width; otherwise as `export_onnx`."""
    network = portable(network)
    free = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    with replacing(path) as temporary:
        with quiet_export():
            program = torch.export.export(network, (torch.rand(TRACED_SHAPE),), dynamic_shapes=(free,))
            torch.export.save(program, temporary)
            reloaded = torch.export.load(temporary).module()
        difference = parity(network, reloaded, sizes)
        check_parity(path, difference)
    return difference


def write_safetensors(network: nn.Module, path: Path) -> None:
    """Write the tensors of `network` under their state_dict names; InputError where safetensors is not installed."""
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise InputError("writing .safetensors takes safetensors: pip install 'paretosr[export]'") from error
    # Clones, since safetensors refuses tensors that share memory.
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})


def portable(network: nn.Module) -> nn.Module:
    """Return a copy on the CPU, in float32 and eval mode: what every export holds."""
    return copy.deepcopy(network).cpu().float().eval()


def parity(network: nn.Module, exported: nn.Module, sizes: Sequence[tuple[int, int]]) -> float:
    """Return the largest absolute difference of two networks' outputs over random lr of `sizes` (height, width).

    NaN where either gives one; infinity where their shapes differ.
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


def check_parity(path: Path, difference: float) -> None:
    """Raise ExportError where `difference` exceeds TOLERANCE or is NaN."""
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{path} was not written: an export must be within {TOLERANCE:g} of the network, but it differs by "
            f"{difference:.3g}"
        )


@contextlib.contextmanager
def quiet_export() -> Iterator[None]:
    """Silence what the exporter says of itself: operators of packages that we do not use, and its own deprecations."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
