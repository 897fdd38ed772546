"""Shared weights: every architecture's network is in the supernet, exactly, and trains nothing but what it uses."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces import SPACES
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.kinds import BLOCKS, WITHOUT_NORM
from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.network import build
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.checkpoint import Checkpoint, Description, load_network, save
from sr.memory_format import MEMORY_FORMATS, lay_out
from sr.scale import SCALES

pytestmark = pytest.mark.numeric

NARROW = replace(MSRRESNET_SPACE, name="narrow", num_feat=(8, 12, 16), positions=3, seeds=())
# Batch norm at several widths, which no shipped space has.
NORMED = replace(
    NARROW,
    name="normed",
    kinds=tuple(kind for kind in BLOCKS if kind not in WITHOUT_NORM),
    norm="batch",
)
AT_X3 = replace(NARROW.at_scale(3), name="narrow at x3")
MEMBERS = {**SPACES, "narrow": NARROW, "normed": NORMED, "narrow at x3": AT_X3}
LR = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))

each_space = pytest.mark.parametrize("name", MEMBERS)
draws = st.integers(0, 2**32 - 1).map(random.Random)


def randomised(supernet: Supernet) -> Supernet:
    """Fill every tensor with its own numbers: biases and statistics start equal, which would hide mistakes."""
    with torch.no_grad():
        for name, tensor in supernet.named_parameters():
            tensor.normal_(1.0 if "norm" in name else 0.0, 0.2)
        for name, tensor in supernet.named_buffers():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                tensor.normal_()
    return supernet


@pytest.fixture(scope="module")
def supernets() -> Callable[[str], Supernet]:
    """One of each space, in eval mode; of the shipped ones only a part, which is enough and quick."""
    limits = {"msrresnet": (20, 4), "neptuneai": (None, 3)}
    made = {name: Supernet(space, *limits.get(name, (None, None))) for name, space in MEMBERS.items()}
    randomly = {name: randomised(supernet).eval() for name, supernet in made.items()}
    # Not the dictionary: hypothesis would write out what a test is given.
    return randomly.__getitem__


def drawn(space: SearchSpace, supernet: Supernet, rng: random.Random) -> Architecture:
    """Draw an architecture that fits the supernet."""
    architecture = space.decode(space.sample(rng))
    widths = [num_feat for num_feat in space.num_feat if num_feat <= supernet.num_feat]
    return replace(architecture, num_feat=rng.choice(widths), blocks=architecture.blocks[: supernet.positions])


@each_space
@settings(max_examples=6, deadline=None)
@given(rng=draws)
@torch.no_grad()
def test_what_is_extracted_computes_the_same_bit_for_bit(
    supernets: Callable[[str], Supernet], name: str, rng: random.Random
) -> None:
    supernet = supernets(name)
    architecture = drawn(MEMBERS[name], supernet, rng)
    sr, extracted = supernet(LR, architecture), supernet.extract(architecture)
    assert torch.equal(extracted(LR), sr)
    rebuilt = build(architecture).eval()
    assert list(supernet.weights(architecture)) == list(rebuilt.state_dict())
    rebuilt.load_state_dict(extracted.state_dict())
    assert torch.equal(rebuilt(LR), sr)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
@torch.no_grad()
def test_the_same_in_every_skeleton_and_memory_format(
    supernets: Callable[[str], Supernet], upsampler: str, memory_format: str
) -> None:
    supernet = copy.deepcopy(supernets("narrow"))
    lay_out(supernet, memory_format)
    lr = LR.contiguous(memory_format=MEMORY_FORMATS[memory_format])
    for image_skip in IMAGE_SKIPS:
        for aggregation in AGGREGATIONS:
            blocks = (Block("identity"), Block("idle"), Block("multiscale_idle"))
            architecture = Architecture(12, blocks, upsampler, image_skip, aggregation)
            assert torch.equal(supernet.extract(architecture)(lr), supernet(lr, architecture))


def test_a_narrow_network_keeps_the_first_of_each_quarter() -> None:
    supernet = Supernet(NARROW)
    architecture = Architecture(8, (Block("idle"), Block("residual_relu")), "two_step", aggregation="concat")
    weights = supernet.weights(architecture)
    kept = [0, 1, 4, 5, 8, 9, 12, 13]
    square = supernet.get_parameter("trunk.1.residual_relu.conv1.weight")
    assert torch.equal(weights["trunk.1.conv1.weight"], square[kept][:, kept])
    # The active half is two quarters, its hidden layer three times as many: six quarters.
    expand = supernet.get_parameter("trunk.0.idle.active.expand.weight")
    hidden = [4 * quarter + index for quarter in range(6) for index in (0, 1)]
    assert torch.equal(weights["trunk.0.active.expand.weight"], expand[hidden][:, kept[:4]])
    # Columns of the two blocks that are there, of three.
    fuse = supernet.get_parameter("fuse.weight")
    assert torch.equal(weights["aggregation.fuse.weight"], fuse[kept][:, kept + [16 + index for index in kept]])


@pytest.mark.parametrize("scale", SCALES)
def test_a_narrow_network_keeps_the_first_of_each_quarter_before_a_shuffle(scale: int) -> None:
    supernet = Supernet(NARROW.at_scale(scale))
    weights = supernet.weights(Architecture(8, (Block("residual_relu"),), "two_step", scale=scale))
    kept = [0, 1, 4, 5, 8, 9, 12, 13]
    step = 3 if scale == 3 else 2
    # So many channels a feature, one behind the other.
    upconv = supernet.get_parameter("upsamplers.two_step_nearest.upconv1.weight")
    shuffled = [step**2 * feature + index for feature in kept for index in range(step**2)]
    assert torch.equal(weights["upsampler.upconv1.weight"], upconv[shuffled][:, kept])


@pytest.mark.parametrize("kind", [kind for kind in BLOCKS if kind != "identity"])
@torch.no_grad()
def test_a_kind_finds_the_same_features_at_every_width(kind: str) -> None:
    """A wide network whose further features are silent and unread is the narrow one: slices agree between layers."""
    # Sums of other lengths are summed in another order: equal but for rounding, which float64 keeps far below 1e-9.
    supernet, lr = randomised(Supernet(replace(NARROW, num_feat=(8, 16), kinds=(kind,)))).eval().double(), LR.double()
    for upsampler in UPSAMPLERS:
        narrow = Architecture(8, (Block(kind),) * 3, upsampler, aggregation="concat")
        wide = replace(narrow, num_feat=16)
        silent = copy.deepcopy(supernet)
        kept = silent.weights(narrow)
        for name, tensor in silent.shared(wide.canonical).items():
            part = silent.part(name, tensor, kept[name].shape)
            values = part.clone()
            tensor.zero_()
            part.copy_(values)
        torch.testing.assert_close(silent(lr, wide), supernet(lr, narrow), rtol=0, atol=1e-9)


def test_gradients_reach_what_was_used_and_nothing_else() -> None:
    supernet = Supernet(NARROW).double()
    architecture = Architecture(8, (Block("identity"), Block("residual_leaky"), Block("idle")), "one_step")
    supernet(LR.double(), architecture).sum().backward()
    used = {name for name, parameter in supernet.named_parameters() if parameter.grad is not None}
    expected = ("conv_first.", "trunk.0.residual_leaky.", "trunk.1.idle.", "upsamplers.one_step_nearest.")
    assert used == {name for name, _ in supernet.named_parameters() if name.startswith(expected)}
    weight = supernet.get_parameter("trunk.0.residual_leaky.conv2.weight")
    assert weight.grad is not None
    kept = [0, 1, 4, 5, 8, 9, 12, 13]
    inside = weight.grad[kept][:, kept]
    assert inside.abs().amin() > 0
    assert weight.grad.abs().sum().item() == pytest.approx(inside.abs().sum().item(), rel=1e-12)


@pytest.mark.parametrize("num_feat", [8, 16])
def test_batch_statistics_move_where_they_are_shared(num_feat: int) -> None:
    supernet = Supernet(NORMED)
    before = {name: buffer.clone() for name, buffer in supernet.named_buffers() if name.startswith("trunk")}
    architecture = Architecture(num_feat, (Block("residual_relu"),), norm="batch")
    alone = supernet.extract(architecture)
    alone(LR)
    supernet(LR, architecture)
    for name, tensor in supernet.weights(architecture).items():
        assert torch.equal(tensor, alone.state_dict()[name])
    moved = {name for name, buffer in supernet.named_buffers() if name in before and not buffer.equal(before[name])}
    assert {name.rsplit(".", 3)[0] for name in moved} == {"trunk.0.residual_relu"}
    assert len(moved) == 2 * 3
    mean = supernet.get_buffer("trunk.0.residual_relu.conv1.1.running_mean")
    assert (mean != 0).sum() == num_feat


def test_in_eval_mode_nothing_moves() -> None:
    supernet = Supernet(NORMED).eval()
    before = copy.deepcopy(supernet.state_dict())
    supernet(LR, Architecture(12, (Block("inverted_x3"),), norm="batch"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in supernet.state_dict().items())


def test_an_extracted_network_is_its_own(tmp_path: Path) -> None:
    supernet = Supernet(NARROW)
    architecture = Architecture(16, (Block("branched_conv"),), image_skip="bicubic")
    network = supernet.extract(architecture)
    assert all(isinstance(parameter, nn.Parameter) and parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        expected = network.eval()(LR)
        for parameter in supernet.parameters():
            parameter.zero_()
        assert torch.equal(network(LR), expected)
    path = tmp_path / "net.pth"
    save(path, Checkpoint(Description("searched", architecture.to_json()), network.state_dict()))
    with torch.no_grad():
        assert torch.equal(load_network(path)(LR), expected)


def test_nothing_random_is_drawn_by_running_or_extracting() -> None:
    supernet = Supernet(NARROW)
    state = torch.get_rng_state()
    supernet(LR, Architecture(8, (Block("residual_leaky"),)))
    supernet.extract(Architecture(8, (Block("idle"),)))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_state_is_plain_tensors_and_loads() -> None:
    torch.manual_seed(1)
    first, second = Supernet(NORMED), Supernet(NORMED)
    state = first.state_dict()
    assert all(type(tensor) is Tensor for tensor in state.values())
    assert not any(name.endswith("_kernel") for name in state)
    second.load_state_dict(state)
    architecture = Architecture(12, (Block("mobilenetv3"),), image_skip="bilinear", norm="batch")
    with torch.no_grad():
        assert torch.equal(first.eval()(LR, architecture), second.eval()(LR, architecture))


def test_a_supernet_is_as_wide_and_deep_as_asked() -> None:
    supernet = Supernet(MSRRESNET_SPACE, num_feat_most=30, positions=2)
    assert (supernet.num_feat, len(supernet.trunk)) == (28, 2)
    whole = Supernet(NARROW)
    assert (whole.num_feat, len(whole.trunk)) == (16, 3)


@pytest.mark.parametrize(
    ("limits", "constraint"),
    [
        ((4, None), "num_feat_most is at least 8 in narrow, got 4"),
        ((None, 0), "positions is from 1 to 3 in narrow, got 0"),
        ((None, 4), "positions is from 1 to 3 in narrow, got 4"),
    ],
)
def test_a_supernet_that_holds_nothing_is_refused(limits: tuple[int | None, int | None], constraint: str) -> None:
    with pytest.raises(ValueError, match=constraint):
        Supernet(NARROW, *limits)


SMALL = Architecture(8, (Block("residual_relu"),))


@pytest.mark.parametrize(
    ("outside", "constraint"),
    [
        (replace(SMALL, num_feat=20), "num_feat is at most 16"),
        (replace(SMALL, blocks=SMALL.blocks * 3), "it has at most 2 blocks"),
        (replace(SMALL, blocks=(Block("idle"),)), "a block is one of residual_relu, identity"),
        (replace(SMALL, upsampler="two_step"), "upsampler is one of one_step"),
        (replace(SMALL, image_skip="bicubic"), "image_skip is one of nearest"),
        (replace(SMALL, aggregation="concat"), "aggregation is one of none"),
        (replace(SMALL, norm="batch"), "norm is none"),
        (replace(SMALL, scale=2), "scale is 4"),
    ],
    ids=["num_feat", "positions", "kind", "upsampler", "image_skip", "aggregation", "norm", "scale"],
)
def test_what_lies_outside_is_refused_by_its_constraint(outside: Architecture, constraint: str) -> None:
    one = ("residual_relu",)
    space = replace(NARROW, kinds=one, upsampler=("one_step",), image_skip=("nearest",), aggregation=("none",))
    supernet = Supernet(space, positions=2)
    supernet(LR, replace(SMALL, blocks=(Block("identity"), *SMALL.blocks, *SMALL.blocks)))
    for use in (supernet.weights, supernet.extract, lambda architecture: supernet(LR, architecture)):
        with pytest.raises(ValueError, match=f"is outside the supernet of narrow: {constraint}$") as caught:
            use(outside)
        assert "\n" not in str(caught.value)
