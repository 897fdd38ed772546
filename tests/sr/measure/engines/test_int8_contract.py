"""What every engine that runs int8 has to keep beyond `test_engine_contract`."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from search_spaces.architecture import Architecture, Block
from search_spaces.network import build
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.engines.engine import Engine
from sr.measure.engines.network import open_network
from sr.measure.engines.registry import ENGINES, engine_of
from sr.measure.target import Target
from sr.quantization.calibration import smooth_pictures

SIZE = (24, 40)
NAMES = ("onnxruntime", "openvino")
PICTURES = smooth_pictures([(1, 3, *SIZE), (1, 3, 32, 32)])


def target_of(name: str) -> Target:
    return Target(torch.device("cpu"), SIZE, "int8", name)


def engine_named(name: str) -> Engine:
    """Return an engine, or skip where it cannot be used here."""
    if name == "openvino":
        pytest.importorskip("nncf", reason="the extra openvino is not installed")
    try:
        return engine_of(target_of(name))
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    blocks = tuple(Block(kind) for kind in ("residual_leaky", "branched_conv"))
    return deploy(build(Architecture(16, blocks, upsampler="one_step", image_skip="bilinear", aggregation="none")))


@pytest.fixture(scope="module")
def written(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Return what gives the files of an engine, of free size and of one, which are written once."""

    @functools.cache
    def files(name: str) -> tuple[Path, Path]:
        engine, target, folder = engine_named(name), target_of(name), tmp_path_factory.mktemp(name)
        free, fixed = folder / f"free{engine.ending}", folder / f"fixed{engine.ending}"
        engine.write(network, target, free, free_size=True, calibration=PICTURES)
        engine.write(network, target, fixed, calibration=PICTURES)
        return free, fixed

    return files


def assert_near(got: Tensor, network: nn.Module, lr: Tensor) -> None:
    """Half a level at each of some ten roundings in a row: a twentieth of the output's span at most, less in the mean.

    What the network is like says how much; a wrong scale or a lost branch would give a multiple of it.
    """
    with torch.inference_mode():
        expected = network(lr)
    assert got.shape == expected.shape
    assert got.dtype == torch.float32
    span, difference = float(expected.max() - expected.min()), (got - expected).abs()
    assert float(difference.max()) <= 0.10 * span
    assert float(difference.mean()) <= 0.02 * span


@pytest.mark.parametrize("name", NAMES)
def test_prepared_network_runs_in_8_bits(name: str, network: nn.Module) -> None:
    runner = engine_named(name).prepare(network, target_of(name), any_weights=True)
    assert runner.precision == "int8"
    assert runner.run().shape == (1, 3, 96, 160)
    assert runner.run_ms() > 0


@pytest.mark.parametrize("name", NAMES)
def test_written_file_is_near_torch_and_its_two_sizes_agree(
    name: str, network: nn.Module, written: Callable[[str], tuple[Path, Path]]
) -> None:
    target, (free, fixed) = target_of(name), written(name)
    opened = open_network(free, target)
    assert opened.precision == "int8"
    for picture in PICTURES:
        assert_near(opened(picture), network, picture)
    assert torch.equal(open_network(fixed, target)(PICTURES[0]), opened(PICTURES[0]))
    assert opened(torch.rand(2, 3, 20, 28)).shape == (2, 3, 80, 112)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_file_of_one_size_gives_pictures_of_the_scale_of_its_network(name: str, scale: int, tmp_path: Path) -> None:
    engine = engine_named(name)
    small = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)).eval()
    path = tmp_path / f"network{engine.ending}"
    engine.write(small, target_of(name), path, calibration=PICTURES)
    assert_near(open_network(path, target_of(name))(PICTURES[0]), small, PICTURES[0])


@pytest.mark.parametrize("name", NAMES)
def test_file_in_8_bits_says_so_whatever_it_is_opened_as(
    name: str, written: Callable[[str], tuple[Path, Path]]
) -> None:
    engine, (_, fixed) = engine_named(name), written(name)
    assert engine.open(fixed, Target(torch.device("cpu"), SIZE, engine=name)).precision == "int8"


@pytest.mark.parametrize("name", NAMES)
def test_part_with_several_inputs_is_prepared(name: str) -> None:
    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return self.conv(first) + second

    inputs = [torch.rand(1, 8, 16, 16), torch.rand(1, 8, 16, 16)]
    runner = engine_named(name).prepare(Part().eval(), target_of(name), inputs, any_weights=True)
    assert runner.run(*inputs).shape == (1, 8, 16, 16)


@pytest.mark.parametrize("name", ["torch", "torch-compile"])
def test_engines_without_int8_refuse_it(name: str) -> None:
    with pytest.raises(InputError, match="int8"):
        ENGINES[name].check(target_of(name))
