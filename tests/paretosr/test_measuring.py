"""One network measured, of any origin and any scale."""

import pytest
import torch
from torch import Tensor, nn

from paretosr.measuring import measure
from sr.errors import InputError
from sr.measure.latency import Protocol
from sr.measure.target import Target

FEW = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
TARGET = Target(torch.device("cpu"), (16, 24))


class Enlarge(nn.Module):
    """A convolution and a pixel shuffle."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3 * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        shuffled: Tensor = self.shuffle(self.conv(lr))
        return shuffled


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_network_of_any_scale_is_counted_and_timed(scale: int) -> None:
    network = Enlarge(scale)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = measure(network, TARGET, FEW)
    assert found.complexity.multi_adds == 9 * 3 * 3 * scale**2 * 16 * 24
    assert found.runtime.runs >= 3
    assert found.conditions == TARGET.conditions
    assert found.quality is None
    assert found.reference_ms is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_network_in_another_dtype_is_checked_in_its_own() -> None:
    assert measure(Enlarge(2).bfloat16(), TARGET, FEW).runtime.median_ms > 0


@pytest.mark.parametrize(
    ("network", "became"),
    [
        (nn.Conv2d(3, 3, 3, stride=2), r"\(1, 3, 7, 11\)"),
        (nn.Conv2d(3, 4, 3, padding=1), r"\(1, 4, 16, 24\)"),
        (nn.Flatten(), r"\(1, 1152\)"),
    ],
)
def test_what_does_not_enlarge_pictures_is_refused_with_its_shape(network: nn.Module, became: str) -> None:
    with pytest.raises(InputError, match=f"but \\(1, 3, 16, 24\\) became {became}"):
        measure(network, TARGET, FEW)


def test_statistics_of_batch_norm_stay_as_they_are() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measure(network, TARGET, FEW)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("network", [None, "ecbsr", Enlarge, abs], ids=["none", "name", "class", "function"])
def test_what_is_no_module_is_refused(network: object) -> None:
    with pytest.raises(InputError, match=r"maps \(n, 3, h, w\) to \(n, 3, s\*h, s\*w\), got"):
        measure(network, TARGET, FEW)  # type: ignore[arg-type]


def test_network_that_takes_something_else_is_refused_with_its_own_words() -> None:
    with pytest.raises(InputError, match=r"but fails for \(1, 3, 16, 24\): .*expected input"):
        measure(nn.Conv2d(1, 3, 3, padding=1), TARGET, FEW)


def test_device_in_place_of_a_target_is_refused() -> None:
    with pytest.raises(InputError, match=r"measured on a Target, got 'cpu'; Target\.of makes one"):
        measure(Enlarge(2), "cpu", FEW)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_network_of_any_scale_runs_in_other_engines(engine: str, scale: int) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="takes openvino: pip install openvino")
    found = measure(Enlarge(scale), TARGET, FEW, engine=engine)
    assert found.conditions.engine == engine
    assert found.runtime.precision == "float32"
    assert found.runtime.runs >= 3


def test_the_engine_is_the_targets_unless_another_is_asked_for() -> None:
    assert measure(Enlarge(2), TARGET, FEW).conditions.engine == "torch"
    in_onnxruntime = TARGET.in_engine("onnxruntime")
    assert measure(Enlarge(2), in_onnxruntime, FEW).conditions.engine == "onnxruntime"
    assert measure(Enlarge(2), in_onnxruntime, FEW, engine="torch").conditions.engine == "torch"
    assert measure(Enlarge(2), TARGET, FEW, engine="auto").conditions.engine in ("onnxruntime", "openvino")


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"an engine is one of auto, onnxruntime, .*got 'ncnn'"):
        measure(Enlarge(2), TARGET, FEW, engine="ncnn")
