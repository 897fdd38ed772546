"""Every skeleton that an architecture can ask for, and the image skip that each one starts from."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.kinds import BLOCKS, WITHOUT_NORM
from search_spaces.network import (
    build,
    build_family,
    interpolation_kernel,
    shuffle_colour_last,
    subpixel_order,
    untrained,
)
from sr.checkpoint import Checkpoint, Description, load_network, save
from sr.deployment import deploy
from sr.errors import InputError
from sr.scale import SCALES

pytestmark = pytest.mark.numeric

MIXED = tuple(Block(kind) for kind in ("residual_leaky", "identity", "branched_conv", "idle"))
SKELETONS = list(itertools.product(UPSAMPLERS, IMAGE_SKIPS, AGGREGATIONS))
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

each_scale = pytest.mark.parametrize("scale", SCALES)
each_skeleton = pytest.mark.parametrize(("upsampler", "image_skip", "aggregation"), SKELETONS)
each_format = pytest.mark.parametrize("memory_format", FORMATS.values(), ids=FORMATS)


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Networks made in here hold float64, fixed kernels too: thirds are no sums of powers of two as quarters are."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def interpolated(lr: Tensor, mode: str, scale: int) -> Tensor:
    """Return torch's own interpolation, the truth of the image skip, and of the learned one as it begins."""
    if mode == "none":
        return torch.zeros(lr.shape[0], 3, scale * lr.shape[2], scale * lr.shape[3], dtype=lr.dtype)
    corners = {} if mode == "nearest" else {"align_corners": False}
    mode = "bilinear" if mode == "learned" else mode
    return F.interpolate(lr, scale_factor=scale, mode=mode, **corners)


def laid_out(network: nn.Module, memory_format: torch.memory_format) -> nn.Module:
    """Return `network` with its weights in a memory format."""
    return network.to(memory_format=memory_format)  # type: ignore[call-overload, no-any-return]  # the stub lacks it


@each_scale
@each_skeleton
def test_every_skeleton_upscales_by_its_scale(upsampler: str, image_skip: str, aggregation: str, scale: int) -> None:
    architecture = Architecture(8, MIXED, upsampler, image_skip, aggregation, scale=scale)
    network = build(architecture).double().eval()
    lr = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    before = lr.clone()
    with torch.no_grad():
        sr = network(lr)
        deployed = deploy(network)(lr)
    assert sr.shape == (2, 3, 5 * scale, 7 * scale)
    assert torch.equal(lr, before)
    torch.testing.assert_close(deployed, sr, rtol=0, atol=1e-10)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_the_upsampler_at_another_scale_takes_its_own_steps(upsampler: str) -> None:
    shapes = {
        scale: {
            name: tuple(tensor.shape)
            for name, tensor in build(Architecture(8, MIXED, upsampler, scale=scale)).upsampler.state_dict().items()
            if name.endswith("weight")
        }
        for scale in SCALES
    }
    if upsampler == "one_step":
        assert shapes == {scale: {"conv_last.weight": (3 * scale**2, 8, 3, 3)} for scale in SCALES}
        return
    widened = {2: 32, 3: 72} if upsampler == "two_step" else {2: 8, 3: 8}
    at_hr = {"conv_hr.weight": (8, 8, 3, 3), "conv_last.weight": (3, 8, 3, 3)}
    assert shapes[2] == {"upconv1.weight": (widened[2], 8, 3, 3)} | at_hr
    assert shapes[3] == {"upconv1.weight": (widened[3], 8, 3, 3)} | at_hr
    assert shapes[4] == {f"upconv{step}.weight": (widened[2], 8, 3, 3) for step in (1, 2)} | at_hr


@each_skeleton
def test_gradients_reach_every_parameter(upsampler: str, image_skip: str, aggregation: str) -> None:
    network = build(Architecture(8, MIXED, upsampler, image_skip, aggregation))
    (network(torch.rand(1, 3, 6, 6)) - torch.rand(1, 3, 24, 24)).square().mean().backward()
    assert all(value.grad is not None and value.grad.any() for value in network.parameters())


@pytest.mark.usefixtures("in_float64")
@each_format
@each_scale
@pytest.mark.parametrize(("upsampler", "image_skip"), list(itertools.product(UPSAMPLERS, IMAGE_SKIPS)))
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (6, 5)], ids=str)
def test_a_training_starts_at_the_image_skip(
    upsampler: str, image_skip: str, size: tuple[int, int], scale: int, memory_format: torch.memory_format
) -> None:
    architecture = Architecture(8, MIXED, upsampler, image_skip, scale=scale)
    network = laid_out(untrained(architecture).eval(), memory_format)
    lr = torch.rand(2, 3, *size).to(memory_format=memory_format)
    with torch.no_grad():
        torch.testing.assert_close(network(lr), interpolated(lr, image_skip, scale), rtol=0, atol=1e-12)


@each_scale
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_a_learned_image_skip_is_trained(upsampler: str, scale: int) -> None:
    network = untrained(Architecture(8, MIXED, upsampler, "learned", scale=scale))
    network(torch.rand(1, 3, 9, 7)).square().mean().backward()
    kernel = network.upsampler.get_parameter("learned_skip.weight")
    assert kernel.shape == (3 * scale**2, 3, 3, 3)
    assert kernel.grad is not None
    assert kernel.grad.abs().max() > 0


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", ["residual_relu", "residual_leaky", "wide_residual", "symmetric_residual"])
@pytest.mark.parametrize(("count", "share"), [(1, 1.0), (10, 1.0), (20, 0.5)])
def test_blocks_of_a_deep_trunk_add_less_at_first(kind: str, count: int, share: float) -> None:
    architecture = Architecture(8, (Block(kind),) * count)
    torch.manual_seed(0)
    as_drawn = build(architecture).trunk
    torch.manual_seed(0)
    started = untrained(architecture).trunk
    feature = torch.rand(1, 8, 5, 7)
    with torch.no_grad():
        for before, after in zip(as_drawn, started, strict=True):
            added = before(feature) - feature
            assert added.abs().max() > 0.01
            torch.testing.assert_close(after(feature) - feature, share * added, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("in_float64")
@each_scale
@pytest.mark.parametrize("image_skip", ["bicubic", "learned"])
def test_the_portable_form_computes_the_same(image_skip: str, scale: int) -> None:
    upsampler = build(Architecture(8, MIXED, image_skip=image_skip, scale=scale)).upsampler
    feature, lr = torch.rand(2, 8, 5, 7), torch.rand(2, 3, 5, 7)
    with torch.no_grad():
        torch.testing.assert_close(upsampler.portable()(feature, lr), upsampler(feature, lr), rtol=0, atol=1e-12)


@each_scale
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_interpolation_kernels_keep_brightness_and_colours_apart(mode: str, scale: int) -> None:
    kernel = interpolation_kernel(mode, scale)
    expected = torch.eye(3, dtype=torch.float64).repeat(scale**2, 1)
    # Up to 5 x 5 weights under 1, each rounded to float32.
    torch.testing.assert_close(kernel.double().sum((2, 3)), expected, rtol=0, atol=25 * 2**-24)


@each_format
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.sampled_from(SCALES))
def test_shuffle_colour_last_is_a_pixel_shuffle_of_permuted_channels(
    memory_format: torch.memory_format, batch: int, height: int, width: int, scale: int
) -> None:
    subpixels = torch.randn(batch, 3 * scale**2, height, width).to(memory_format=memory_format)
    # From (row, column, colour) to torch's (colour, row, column).
    permuted = torch.cat([subpixels[:, colour::3] for colour in range(3)], dim=1)
    assert torch.equal(subpixels[:, subpixel_order(scale)], permuted)
    shuffled = shuffle_colour_last(subpixels, scale)
    assert torch.equal(shuffled, F.pixel_shuffle(permuted, scale))
    assert shuffled.is_contiguous(memory_format=memory_format) or height * width == 1


@each_format
@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_memory_format_changes_no_number(upsampler: str, memory_format: torch.memory_format) -> None:
    network = build(Architecture(8, MIXED, upsampler, "bicubic", "concat")).double().eval()
    lr = torch.rand(2, 3, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        expected = network(lr)
        moved = laid_out(network, memory_format)(lr.to(memory_format=memory_format))
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_all_kinds_together_deploy_exactly(norm: str) -> None:
    kinds = [kind for kind in BLOCKS if norm == "none" or kind not in WITHOUT_NORM]
    network = build(Architecture(12, tuple(map(Block, kinds)), aggregation="concat", norm=norm)).double()
    # A step in training form gives batch norm statistics of its own.
    network.train()(torch.rand(2, 3, 8, 8, dtype=torch.float64))
    lr = torch.rand(1, 3, 5, 7, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(deploy(network)(lr), network.eval()(lr), rtol=0, atol=1e-10)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_aggregation_by_definition(aggregation: str) -> None:
    network = build(Architecture(8, (Block("idle"),) * 2, image_skip="none", aggregation=aggregation)).double().eval()
    lr = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    trunk = network.get_submodule("trunk")
    assert isinstance(trunk, nn.ModuleList)
    with torch.no_grad():
        head = F.leaky_relu(network.get_submodule("conv_first")(lr), 0.1)
        first = trunk[0](head)
        last = trunk[1](first)
        feature = {
            "none": lambda: last,
            "long_skip": lambda: last + head,
            "concat": lambda: network.get_submodule("aggregation.fuse")(torch.cat([first, last], 1)) + head,
        }[aggregation]()
        torch.testing.assert_close(network(lr), network.get_submodule("upsampler")(feature, lr), rtol=0, atol=1e-10)


def test_empty_positions_are_not_built() -> None:
    without = Architecture(8, (Block("idle"), Block("idle")), aggregation="concat")
    padded = replace(without, blocks=(Block("identity"), Block("idle"), Block("identity"), Block("idle")))
    network, same = build(without), build(padded)
    same.load_state_dict(network.state_dict())
    lr = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(lr), same(lr))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_trunk_of_empty_positions_alone_builds(aggregation: str) -> None:
    network = build(Architecture(8, (Block("identity"),) * 3, aggregation=aggregation))
    assert network(torch.rand(1, 3, 2, 3)).shape == (1, 3, 8, 12)


@pytest.mark.parametrize("kind", [kind for kind in BLOCKS if kind not in ("identity", "branched_conv")])
def test_a_residual_branch_starts_small_and_not_silent(kind: str) -> None:
    (block,) = build(Architecture(32, (Block(kind),))).eval().trunk
    feature = torch.rand(2, 32, 16, 16)
    with torch.no_grad():
        # An idle block hands its halves on in the other order.
        share = (block(feature).sort(dim=1).values - feature.sort(dim=1).values).norm() / feature.norm()
    assert 1e-4 < share < 0.5


@pytest.mark.parametrize(
    ("upsampler", "scale"), [*((name, 4) for name in UPSAMPLERS), ("one_step", 3), ("two_step", 2)]
)
def test_exports_with_any_size(upsampler: str, scale: int) -> None:
    architecture = Architecture(8, MIXED, upsampler, "bilinear", "long_skip", scale=scale)
    network = deploy(build(architecture)).double()
    sizes = {2: torch.export.Dim("height", min=2, max=512), 3: torch.export.Dim("width", min=2, max=512)}
    exported = torch.export.export(network, (torch.rand(1, 3, 12, 16).double(),), dynamic_shapes=(sizes,)).module()
    for size in ((12, 16), (5, 9)):
        lr = torch.rand(1, 3, *size, dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(exported(lr), network(lr), rtol=0, atol=1e-10)


def test_family_builds_from_json() -> None:
    architecture = Architecture(8, MIXED, "two_step", "none", "concat")
    torch.manual_seed(1)
    expected = build(architecture).state_dict()
    torch.manual_seed(1)
    built = build_family(architecture.to_json()).state_dict()
    assert built.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in built.items())


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"num_feat": 7}, "num_feat is a multiple of 4 from 8 to 64, got 7"),
        ({"upsampler": "deconv"}, "upsampler is one of two_step, one_step, nearest_conv, got 'deconv'"),
        ({"blocks": ["unheard_of"]}, "a block's kind is one of .*, got 'unheard_of'"),
        ({"depth": 4}, "an architecture has the fields .*, got .*'depth'"),
        ({"norm": "batch"}, "a branched_conv has no batch norm, got norm 'batch'"),
        ({"scale": 8}, "scale is one of 2, 3, 4, got 8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_family_refuses_what_breaks_a_constraint(change: dict[str, Any], constraint: str) -> None:
    config = Architecture(8, MIXED).to_json() | change
    with pytest.raises(ValueError, match=constraint):
        build_family(config)
    with pytest.raises(InputError, match=f"this is no searched network: {constraint}"):
        Description("searched", config).build()


@pytest.mark.parametrize("deployed", [False, True])
def test_a_checkpoint_gives_the_network_back(tmp_path: Path, deployed: bool) -> None:
    architecture = Architecture(8, MIXED, image_skip="bicubic")
    trained = build(architecture).eval()
    network = deploy(trained) if deployed else trained
    path = tmp_path / "network.pth"
    save(path, Checkpoint(Description("searched", architecture.to_json()), network.state_dict(), deployed=deployed))
    lr = torch.rand(1, 3, 4, 5)
    with torch.no_grad():
        assert torch.equal(load_network(path)(lr), network(lr))
