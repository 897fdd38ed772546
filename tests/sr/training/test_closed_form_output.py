import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.architecture import IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.network import build
from sr.training.closed_form_output import Patches, System, equations, last_convolutions, normal, solve_output

pytestmark = pytest.mark.numeric

SIDE = 6


def features(seed: int = 0, *, bias: bool = True, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Two convolutions, of which the second is solved for; in float64 only the ridge bends a solution."""
    torch.manual_seed(seed)
    return (
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 48, 3, padding=1, bias=bias), nn.PixelShuffle(4)
        )
        .to(dtype)
        .eval()
    )


def noise(number: int) -> tuple[Tensor, Tensor]:
    """Patches that no network can learn."""
    random = torch.Generator().manual_seed(number)
    lr, hr = torch.rand(2, 3, SIDE, SIDE, generator=random), torch.rand(2, 3, 4 * SIDE, 4 * SIDE, generator=random)
    return lr.double(), hr.double()


def taught(network: nn.Module) -> Patches:
    """Return patches whose HR is what `network` makes of LR, in its dtype."""
    dtype = next(network.parameters()).dtype

    def patches(number: int) -> tuple[Tensor, Tensor]:
        lr = noise(number)[0].to(dtype)
        with torch.no_grad():
            return lr, network(lr).clone()

    return patches


def mean_error(network: nn.Module, patches: Patches, count: int) -> float:
    with torch.no_grad():
        pairs = [patches(number) for number in range(count)]
        return float(torch.stack([(network(lr) - hr).square().mean() for lr, hr in pairs]).mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_a_last_layer_that_exists_is_found(bias: bool, dtype: torch.dtype) -> None:
    teacher, student = (features(bias=bias, dtype=dtype) for _ in range(2))
    patches = taught(teacher)
    nn.init.normal_(student[2].weight)  # type: ignore[arg-type]
    assert mean_error(student, patches, 8) > 0.1
    assert solve_output(student, patches, 8)
    # What the ridge of 1e-5 leaves, and the rounding of float32 squared, lie far below.
    assert mean_error(student, patches, 8) < 1e-8


def test_it_is_the_least_squares_solution_of_numpy() -> None:
    network = features()
    convs, pixels = last_convolutions(network, *noise(0))
    assert (convs, pixels) == ([network[2]], SIDE**2)
    systems = [equations(network, convs, *noise(number)) for number in range(3)]
    rows, owed = (torch.cat(side).double().numpy() for side in zip(*systems, strict=True))
    assert rows.shape == (3 * 2 * SIDE**2, 9 * 4 + 1)
    expected, residuals, _, _ = np.linalg.lstsq(rows, owed)
    whole = normal(*map(torch.as_tensor, (rows, owed)))
    change = whole.solution()
    np.testing.assert_allclose(change, expected, rtol=2e-3, atol=2e-4)
    # The gain is what the squared error loses.
    assert whole.gain(change) == pytest.approx((owed**2).sum() - residuals.sum(), rel=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_a_learned_image_skip_is_solved_for_beside_the_last_layer(bias: bool) -> None:
    network = build(Architecture(8, (Block("residual_leaky"),), image_skip="learned")).double().eval()
    upsampler = network.upsampler
    if not bias:
        upsampler.conv_last.bias = None
    patches = taught(copy.deepcopy(network))
    assert last_convolutions(network, *patches(0)) == ([upsampler.conv_last, upsampler.learned_skip], SIDE**2)
    for conv in (upsampler.conv_last, upsampler.learned_skip):
        nn.init.normal_(conv.weight)
    assert mean_error(network, patches, 12) > 0.1
    assert solve_output(network, patches, 12)
    assert mean_error(network, patches, 12) < 1e-6


def test_a_clip_that_a_later_batch_shows_leaves_the_network_as_it_was() -> None:
    inner = features()
    with torch.no_grad():
        highest = float(max(inner(noise(number)[0]).abs().max() for number in range(2)))
    network = nn.Sequential(inner, nn.Hardtanh(-highest, highest))
    before = copy.deepcopy(network.state_dict())

    def later_brighter(number: int) -> tuple[Tensor, Tensor]:
        lr, hr = noise(number)
        return (lr * 1e3 if number == 2 else lr), hr

    assert last_convolutions(network, *later_brighter(0))[0] == [network[0][2]]  # type: ignore[index]
    with pytest.raises(ValueError, match="one batch is clipped"):
        solve_output(network, later_brighter, 12)
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())


class Twice(nn.Module):
    """Runs its last convolution twice."""

    def __init__(self) -> None:
        super().__init__()
        self.network = features()

    def forward(self, lr: Tensor) -> Tensor:
        return self.network(lr) + self.network(lr.flip(3))


def test_what_is_fixed_or_followed_by_more_is_no_last_convolution() -> None:
    network = nn.Sequential(features(), nn.Conv2d(3, 3, 1)).double().eval()
    assert last_convolutions(network, *noise(0))[0] == [network[1]]
    # As one that adds the mean of pictures back.
    network[1].requires_grad_(requires_grad=False)
    with torch.no_grad():
        network[1].weight.copy_(torch.eye(3)[:, :, None, None])
    assert last_convolutions(network, *noise(0))[0] == [network[0][2]]  # type: ignore[index]
    with pytest.raises(ValueError, match="none here is followed so"):
        last_convolutions(Twice(), *noise(0))


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5))
def test_systems_add_up(seed: int, first: int, second: int) -> None:
    random = torch.Generator().manual_seed(seed)
    rows, owed = (torch.randn(first + second, width, generator=random, dtype=torch.float64) for width in (3, 2))
    parts = normal(rows[:first], owed[:first]) + normal(rows[first:], owed[first:])
    whole = normal(rows, owed)
    assert parts.count == whole.count
    torch.testing.assert_close(parts.gram, whole.gram, rtol=0, atol=1e-10)
    torch.testing.assert_close(parts.moment, whole.moment, rtol=0, atol=1e-10)


def test_what_was_solved_stays_when_it_is_solved_again() -> None:
    network = features()
    assert solve_output(network, noise, 40)
    once = mean_error(network, noise, 40)
    before = network[2].weight.detach().clone()  # type: ignore[union-attr]
    solve_output(network, noise, 40)
    torch.testing.assert_close(network[2].weight, before, rtol=1e-2, atol=1e-3)  # type: ignore[arg-type]
    assert mean_error(network, noise, 40) == pytest.approx(once, rel=1e-4)


def test_what_fits_only_what_it_saw_is_left_out() -> None:
    # 72 equations for 145 unknowns: no error is left where it looked, and more than before elsewhere.
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Tanh(), nn.Conv2d(16, 48, 3, padding=1),
                            nn.PixelShuffle(4)).double().eval()  # fmt: skip
    with torch.no_grad():
        network[2].weight.zero_()  # type: ignore[union-attr]
        network[2].bias.fill_(0.5)  # type: ignore[union-attr]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert not solve_output(network, noise, 2)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_silent_features_leave_their_weights() -> None:
    network = features()
    with torch.no_grad():
        network[0].weight[1] = 0  # type: ignore[index]
        network[0].bias[1] = 0  # type: ignore[index]
    before = network[2].weight[:, 1].detach().clone()  # type: ignore[index]
    assert solve_output(network, noise, 40)
    assert torch.equal(network[2].weight[:, 1], before)  # type: ignore[index]


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("image_skip", IMAGE_SKIPS)
def test_every_upsampler_of_the_search_gains(upsampler: str, image_skip: str) -> None:
    torch.manual_seed(1)
    architecture = Architecture(8, (Block("residual_leaky"),), upsampler, image_skip)
    network = build(architecture).double().eval()
    before = mean_error(network, noise, 12)
    assert solve_output(network, noise, 12)
    assert mean_error(network, noise, 12) < before


def test_memory_formats_agree() -> None:
    changed = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        network = features().to(memory_format=memory_format)
        assert solve_output(network, noise, 12)
        changed.append(network[2].weight.detach())  # type: ignore[union-attr]
    torch.testing.assert_close(*changed, rtol=0, atol=1e-8)


class Halved(nn.Module):
    """Makes half of what its network makes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, lr: Tensor) -> Tensor:
        return self.network(lr) / 2


@pytest.mark.parametrize(
    ("network", "constraint"),
    [
        (Halved(features()), "only moves and sums follow a convolution that is solved for"),
        (
            nn.Sequential(nn.Conv2d(3, 48, 3, padding=1, groups=3), nn.PixelShuffle(4)),
            "dense and padded by a number of zeros, got Conv2d",
        ),
        (nn.Sequential(nn.ConvTranspose2d(3, 3, 4, stride=4)), "got ConvTranspose2d"),
        (nn.Upsample(scale_factor=4), "none here is followed so"),
        (nn.Sequential(nn.Conv2d(3, 48, 3, padding="same"), nn.PixelShuffle(4)), "a number of zeros, got Conv2d"),
        (nn.Sequential(nn.Conv2d(3, 48, 3, padding=1, padding_mode="reflect"), nn.PixelShuffle(4)), "number of zeros"),
    ],
)
def test_what_cannot_be_solved_is_named(network: nn.Module, constraint: str) -> None:
    with pytest.raises(ValueError, match=constraint):
        solve_output(network.double().eval(), noise, 4)


def test_one_batch_has_no_judge() -> None:
    with pytest.raises(ValueError, match="take at least 2 batches, got 1"):
        solve_output(features(), noise, 1)


def test_an_empty_power_has_a_solution() -> None:
    change = System(torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64), 0).solution()
    assert torch.equal(change, torch.zeros(2, 1, dtype=torch.float64))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_gpu_solves_as_the_processor_does() -> None:
    solved = []
    for device in ("cpu", "cuda"):
        network = features().to(device)

        def patches(number: int, device: str = device) -> tuple[Tensor, Tensor]:
            lr, hr = noise(number)
            return lr.to(device), hr.to(device)

        assert solve_output(network, patches, 12)
        solved.append(network[2].weight.detach().cpu())  # type: ignore[union-attr]
    torch.testing.assert_close(*solved, rtol=2e-2, atol=2e-3)
