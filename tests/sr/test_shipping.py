import copy
import functools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.measure.engines.registry import engine_of
from sr.measure.latency import Protocol, measure_subjects
from sr.measure.quality import evaluate
from sr.measure.target import Target
from sr.shipping import ShippedFiles, describe, judge, ship, subjects

SIZE = (16, 24)
SHORT = Protocol(seconds=0.02, minimum_runs=3, idle_seconds=0)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)).eval()


def target_in(engine: str) -> Target:
    """Return a small target in an engine, or skip where that cannot be used here."""
    target = Target(torch.device("cpu"), SIZE, engine=engine)
    try:
        engine_of(target)
    except InputError as error:
        pytest.skip(str(error))
    return target


@pytest.fixture(scope="module")
def shipped_in(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ShippedFiles]:
    """Return what gives the files of an engine, which are written once."""

    @functools.cache
    def shipped(engine: str) -> ShippedFiles:
        return ship(network, target_in(engine), tmp_path_factory.mktemp(engine))

    return shipped


@pytest.mark.parametrize(
    ("engine", "own"),
    [
        ("torch", set()),
        ("onnxruntime", set()),
        ("openvino", {"network.xml", "network.bin", "network-24x16.xml", "network-24x16.bin"}),
    ],
)
def test_files_are_onnx_and_what_the_engine_runs(
    engine: str, own: set[str], shipped_in: Callable[[str], ShippedFiles]
) -> None:
    shipped = shipped_in(engine)
    assert {path.name for path in shipped.any_size.parent.iterdir()} == {"network.onnx", "network-24x16.onnx"} | own
    assert shipped.difference <= 1e-4
    assert (shipped.own_one_size is None) == (engine == "torch")


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_what_is_shipped_is_timed_in_every_engine_its_own_first(
    engine: str, network: nn.Module, shipped_in: Callable[[str], ShippedFiles]
) -> None:
    shipped = shipped_in(engine)
    timed = subjects(shipped, network)
    assert next(iter(timed)) == engine
    assert {"torch", "onnxruntime"} <= set(timed)
    assert timed["onnxruntime"].network == shipped.any_size.parent / "network-24x16.onnx"
    assert "torch-compile" not in timed
    runtimes = measure_subjects(timed, SHORT)
    assert list(runtimes) == list(timed)
    assert all(f"{name} " in describe(runtimes) for name in runtimes)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_quality_is_that_of_the_output_of_the_file(
    engine: str, network: nn.Module, shipped_in: Callable[[str], ShippedFiles]
) -> None:
    val = load_pairs(None, "val").centre_crops(32, 2)
    shipped, other = shipped_in(engine), copy.deepcopy(network)
    with torch.no_grad():
        # What is judged is the file, whatever becomes of the network.
        expected = evaluate(network, val)
        other[0].weight.mul_(0.5)
    found = judge(shipped, other, val)
    assert (found.psnr == pytest.approx(expected.psnr, abs=1e-3)) == (engine != "torch")
