"""What every engine has to keep: `sr.measure.engines.engine.Engine`."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from search_spaces.architecture import Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.network import build
from sr.constraints import ENGINE_NAMES
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.engines.engine import Engine, Runner
from sr.measure.engines.registry import ENGINES, FILE_ENGINES, engine_of, usable
from sr.measure.target import Target
from sr.memory_format import MEMORY_FORMATS
from sr.onnx_graph import onnx_graph

CPU = torch.device("cpu")
SIZES = ((24, 40), (37, 53), (64, 48), (16, 16), (90, 31))
KINDS = tuple(kind for kind in BLOCKS if kind != "identity")
# What compiles takes seconds a network and has a test of its own.
QUICK = ("onnxruntime", "openvino", "tensorrt", "torch")


def engine_named(name: str, target: Target) -> Engine:
    """Return an engine, or skip where it cannot be used here."""
    try:
        return engine_of(target.in_engine(name))
    except InputError as error:
        pytest.skip(str(error))


def searched(
    upsampler: str = "one_step",
    image_skip: str = "bicubic",
    aggregation: str = "concat",
    kinds: tuple[str, ...] = ("residual_leaky", "branched_conv"),
) -> nn.Module:
    """Return a small deployed network."""
    torch.manual_seed(0)
    blocks = tuple(Block(kind) for kind in kinds)
    described = Architecture(16, blocks, upsampler=upsampler, image_skip=image_skip, aggregation=aggregation)
    return deploy(build(described))


def picture(size: tuple[int, int]) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


def assert_same(runner: Runner, network: nn.Module, lr: Tensor) -> None:
    with torch.inference_mode():
        expected = network(lr)
    got = runner.run(lr)
    assert got.shape == expected.shape
    assert got.dtype == torch.float32
    assert got.device == lr.device
    assert float((got - expected).abs().max()) <= 1e-4 * max(1.0, float(expected.abs().max()))


def test_every_name_that_a_command_takes_is_an_engine() -> None:
    assert sorted(ENGINES) == sorted(ENGINE_NAMES)
    assert all(name == engine.name for name, engine in ENGINES.items())


@pytest.mark.numeric
@pytest.mark.parametrize("size", [(24, 40), (37, 53), (16, 16)])
@pytest.mark.parametrize("name", QUICK)
def test_prepared_network_computes_what_torch_computes(name: str, size: tuple[int, int]) -> None:
    target = Target(CPU, size, engine=name)
    engine, network = engine_named(name, target), searched()
    before = {key: (tensor.clone(), tensor.stride()) for key, tensor in network.state_dict().items()}
    for memory_format in engine.memory_formats:
        runner = engine.prepare(network, target, memory_format=memory_format)
        assert_same(runner, network, picture(size))
        assert runner.precision == "float32"
        assert runner.execute() is not None
        assert runner.run_ms() > 0
        assert runner.peak_memory() >= 0
    # The network is left as it is.
    after = network.state_dict()
    assert all(
        torch.equal(after[key], was) and after[key].stride() == strides for key, (was, strides) in before.items()
    )


@pytest.mark.numeric
@pytest.mark.parametrize(
    ("upsampler", "image_skip", "kinds"),
    [("one_step", "none", KINDS), ("two_step", "nearest", KINDS[:1]), ("nearest_conv", "bilinear", KINDS[:1])],
)
@pytest.mark.parametrize("name", QUICK)
def test_every_block_upsampler_and_skip_computes_what_torch_computes(
    name: str, upsampler: str, image_skip: str, kinds: tuple[str, ...]
) -> None:
    target = Target(CPU, (16, 24), engine=name)
    network = searched(upsampler, image_skip, "long_skip", kinds)
    assert_same(engine_named(name, target).prepare(network, target), network, picture((16, 24)))


@pytest.mark.numeric
@pytest.mark.parametrize(("scale", "free_size"), [(2, True), (3, False)])
@pytest.mark.parametrize("name", QUICK)
def test_networks_of_other_scales_compute_what_torch_computes(
    name: str, scale: int, free_size: bool, tmp_path: Path
) -> None:
    target = Target(CPU, SIZES[0], engine=name)
    engine = engine_named(name, target)
    torch.manual_seed(0)
    tail = nn.Conv2d(8, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(0.1), *tail).eval()
    assert_same(engine.prepare(network, target), network, picture(SIZES[0]))
    if name in FILE_ENGINES:
        path = tmp_path / f"network{engine.ending}"
        FILE_ENGINES[name].write(network, target, path, free_size=free_size)
        assert_same(engine.open(path, target), network, picture(SIZES[0]))


@pytest.mark.parametrize("free_size", [False, True])
@pytest.mark.parametrize("name", [name for name in QUICK if name != "torch"])
def test_written_file_computes_what_torch_computes(name: str, free_size: bool, tmp_path: Path) -> None:
    target = Target(CPU, SIZES[0], engine=name)
    engine, network = engine_named(name, target), searched()
    path = tmp_path / f"network{engine.ending}"
    engine.write(network, target, path, free_size=free_size)
    runner = engine.open(path, target)
    for size in SIZES if free_size else SIZES[:1]:
        assert_same(runner, network, picture(size))
    if free_size:
        assert runner.run(torch.rand(2, 3, 20, 28)).shape == (2, 3, 80, 112)
    assert runner.run_ms() > 0


@pytest.mark.parametrize("name", QUICK)
def test_a_part_with_several_inputs_runs(name: str) -> None:
    class Sum(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return first + 2 * second

    target = Target(CPU, (16, 16), engine=name)
    inputs = [torch.rand(1, 8, 16, 16), torch.rand(1, 8, 16, 16)]
    runner = engine_named(name, target).prepare(Sum(), target, inputs)
    assert torch.allclose(runner.run(*inputs), inputs[0] + 2 * inputs[1], atol=1e-6)
    assert runner.run_ms() > 0


@pytest.mark.parametrize("name", [name for name in QUICK if name != "torch"])
def test_any_weights_gives_the_structure_asked_for(name: str) -> None:
    target = Target(CPU, (16, 16), engine=name)
    engine = engine_named(name, target)
    narrow, wide = (nn.Sequential(nn.Conv2d(3, 48, k, padding=k // 2), nn.PixelShuffle(4)).eval() for k in (1, 3))
    for network in (narrow, wide, narrow):
        assert engine.prepare(network, target, any_weights=True).run().shape == (1, 3, 64, 64)


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_a_file_that_is_no_network_is_one_line(name: str, tmp_path: Path) -> None:
    target = Target(CPU, (16, 16), engine=name)
    engine = engine_named(name, target)
    broken = tmp_path / f"broken{engine.ending}"
    broken.write_bytes(b"no network")
    for path in (broken, tmp_path / f"missing{engine.ending}"):
        with pytest.raises(InputError) as caught:
            engine.open(path, target)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT64])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_file_that_takes_whole_numbers_is_one_line(name: str, kind: int, tmp_path: Path) -> None:
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 4.0, 4.0])
    lr, sr = (helper.make_tensor_value_info(each, kind, ["n", 3, f"h{each}", f"w{each}"]) for each in ("lr", "sr"))
    graph = helper.make_graph([helper.make_node("Resize", ["lr", "", "scales"], ["sr"])], "graph", [lr], [sr], [scales])
    path = tmp_path / "network.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    target = Target(CPU, (16, 16), engine=name)
    # Of some such numbers onnxruntime has no such operator, which it says.
    with pytest.raises(InputError, match=r"takes float32, got .*; export it in float32|no ONNX network that"):
        engine_named(name, target).open(path, target)


@pytest.mark.parametrize("name", [name for name in QUICK if name != "torch"])
def test_an_operator_without_onnx_is_one_line(name: str) -> None:
    class Unknown(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return torch.special.bessel_j0(lr).repeat(1, 1, 4, 4)

    target = Target(CPU, (16, 16), engine=name)
    with pytest.raises(InputError) as caught:
        engine_named(name, target).prepare(Unknown(), target)
    assert "\n" not in str(caught.value)


def test_a_dtype_that_nobody_runs_is_one_line() -> None:
    for name in ("torch", "onnxruntime"):
        with pytest.raises(InputError, match=r"int8|float32"):
            ENGINES[name].check(Target(CPU, dtype="float16" if name == "onnxruntime" else "int8", engine=name))


def test_usable_engines_are_those_whose_check_passes() -> None:
    found = [target.engine for target in usable(Target(CPU))]
    assert {"onnxruntime", "torch"} <= set(found) <= set(ENGINES)


@pytest.mark.parametrize("memory_format", sorted(MEMORY_FORMATS))
@pytest.mark.parametrize("lr_size", [None, (24, 40)])
def test_exported_one_step_holds_depth_to_space_and_no_transposition(
    lr_size: tuple[int, int] | None, memory_format: str
) -> None:
    # A network laid out for torch takes another branch there.
    network = searched(image_skip="bilinear", aggregation="none", kinds=KINDS[:1]).to(
        memory_format=MEMORY_FORMATS[memory_format]
    )
    operators = [node.op_type for node in onnx.load_from_string(onnx_graph(network, lr_size)).graph.node]
    assert operators.count("DepthToSpace") == 1
    assert "Transpose" not in operators
