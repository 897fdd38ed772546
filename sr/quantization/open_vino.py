"""Quantisation after training for OpenVINO, by NNCF."""

import contextlib
import functools
import io
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.quantization.config import DEFAULT_KEEP
from sr.quantization.parts import Operation, kept

_CONVOLUTIONS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData"})
_IN_A_BUILD = {"NNCF_CI": "ON", "CI": "true"}


def quantized(model: Any, pictures: Sequence[Tensor | Sequence[Tensor]], keep: str = DEFAULT_KEEP) -> Any:  # noqa: ANN401 - the package may not be installed
    """Return a network in 8 bits: activations asymmetric per tensor, weights symmetric per channel.

    Args:
        model: An openvino.Model in float32, read from ONNX; left as it is.
        pictures: What the ranges are read off, (n, 3, h, w) in [0, 1] each; a sequence of tensors where the model has
            several inputs.
        keep: What stays in float, a key of `KEEPS`.

    Returns:
        An openvino.Model that takes and gives float32 as before.

    Raises:
        InputError: Where NNCF cannot quantise the network.
    """
    nncf = _nncf()
    arrays = [_arrays(each) for each in pictures]
    # Not validated: what NNCF leaves out of its own graph, such as constants, need not be ignored.
    ignored = nncf.IgnoredScope(names=kept(operations(model), keep), validate=False)
    try:
        with _quiet():
            return nncf.quantize(
                model.clone(),
                nncf.Dataset(arrays),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(arrays),
                ignored_scope=ignored,
            )
    except Exception as error:  # NNCF's and OpenVINO's own, which have no type in common
        raise InputError(f"nncf cannot quantise this network: {one_line(error, 200)}") from error


def at_size(model: Any, lr_size: LrSize) -> Any:  # noqa: ANN401 - as above
    """Return a model of free size that takes one LR picture of this (height, width): the same, also in its scales."""
    fixed = model.clone()
    fixed.reshape([1, 3, *lr_size])
    return fixed


def operations(model: Any) -> list[Operation]:  # noqa: ANN401 - as above
    """Return the operations of an openvino.Model, each after those that it reads."""
    return [
        Operation(
            operation.get_friendly_name(),
            operation.get_type_name() in _CONVOLUTIONS,
            tuple(each.get_source_output().get_node().get_friendly_name() for each in operation.inputs()),
            (operation.get_friendly_name(),),
        )
        for operation in model.get_ordered_ops()
    ]


@functools.cache
def _nncf() -> Any:  # noqa: ANN401 - as above
    """Return the package, told to say nothing and to send nothing anywhere."""
    # By default it reports its use to its makers, unasked; what runs in a build does not, and it asks that once.
    kept = {name: os.environ.get(name) for name in _IN_A_BUILD}
    os.environ.update(_IN_A_BUILD)
    try:
        import nncf
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    nncf.set_log_level(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the bar that it draws: only commands print."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _arrays(picture: Tensor | Sequence[Tensor]) -> Any:  # noqa: ANN401 - one array or a tuple of them
    if isinstance(picture, Tensor):
        return picture.detach().cpu().float().contiguous().numpy()
    return tuple(_arrays(each) for each in picture)
