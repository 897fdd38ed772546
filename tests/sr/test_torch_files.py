"""Files that PyTorch alone runs: their function, their sizes, and what they need."""

import subprocess
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.errors import InputError
from sr.parity import TOLERANCE, ExportError
from sr.torch_files import write_program, write_script, write_source


class Small(nn.Module):
    """A x4 network with what is hard to write down: sizes, shared layers, tensors of its own, in-place operations."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 8, 3, padding=1)
        self.strided = nn.Conv2d(8, 8, (3, 5), stride=2, padding=(0, 1), groups=2, bias=False)
        self.slope = nn.Parameter(torch.rand(8))
        self.register_buffer("mean", torch.rand(1, 3, 1, 1), persistent=False)
        self.tail = nn.Conv2d(8, 48, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        features = F.prelu(self.head(lr - self.mean), self.slope)
        features = F.silu(features, inplace=True)
        pooled = F.max_pool2d(F.gelu(self.strided(features)), kernel_size=3, stride=2)
        mask = F.interpolate(pooled, size=features.shape[2:], mode="bilinear", align_corners=False)
        early, late = torch.cat((features, mask), dim=1).chunk(2, dim=1)
        rows = torch.arange(lr.shape[2], device=lr.device) % 2
        weighed = torch.cat((early[:, :4], late[:, 4:]), dim=1) * torch.sigmoid(late.mean((2, 3), keepdim=True))
        weighed = weighed + weighed.amax(1, keepdim=True) * rows[:, None]
        nearest = F.interpolate(lr, scale_factor=4, mode="nearest")
        return F.pixel_shuffle(self.tail(weighed), 4) + nearest


class OtherWhenTraced(nn.Module):
    """A network that exporters see another form of."""

    def forward(self, lr: Tensor) -> Tensor:
        up = F.interpolate(lr, scale_factor=4, mode="nearest")
        return up * (2.0 if torch.compiler.is_exporting() else 1.0)


class ForOneSize(nn.Module):
    """A network that cannot take pictures of any size."""

    def forward(self, lr: Tensor) -> Tensor:
        up = F.interpolate(lr, scale_factor=4, mode="nearest")
        return up * 2 if int(lr.sum()) > 0 else up


def read(path):
    """Run the file as its user would."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return torch.jit.load(path)


WRITERS = {".pt2": write_program, ".torchscript": write_script, ".py": write_source}


@pytest.mark.numeric
@pytest.mark.parametrize("ending", [".pt2", ".torchscript"])
def test_a_file_is_of_free_size_and_computes_the_same(ending, tmp_path):
    network = Small().eval()
    path = tmp_path / f"small{ending}"
    assert WRITERS[ending](network, path) <= TOLERANCE
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    for n, height, width in [(1, 33, 50), (3, 16, 16), (2, 45, 17)]:
        lr = torch.rand(n, 3, height, width)
        torch.testing.assert_close(read(path)(lr), network(lr), atol=TOLERANCE, rtol=0)


@pytest.mark.numeric
def test_the_source_runs_where_pytorch_alone_is_installed(tmp_path):
    network = Small().train()
    assert write_source(network, tmp_path / "net.v2.py") <= TOLERANCE
    assert network.training, "the network given must be left as it was"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["net.v2.py", "net.v2.weights.pt"]
    lr = torch.rand(3, 3, 21, 34)
    torch.save(lr, tmp_path / "lr.pt")
    script = (
        "import importlib.util, sys, torch\n"
        "spec = importlib.util.spec_from_file_location('net', 'net.v2.py')\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "with torch.inference_mode(): sr = module.load()(torch.load('lr.pt'))\n"
        "torch.save(sr, 'sr.pt')\n"
        "ours = {'sr', 'baselines', 'search_spaces', 'prune', 'nas', 'paretosr', 'onnx'}\n"
        "sys.exit(f'loaded {ours & set(sys.modules)}' if ours & set(sys.modules) else 0)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script], cwd=tmp_path, check=True, timeout=120)
    torch.testing.assert_close(torch.load(tmp_path / "sr.pt"), network.eval()(lr), atol=TOLERANCE, rtol=0)


def test_the_source_names_layers_and_reads_plain_tensors(tmp_path):
    write_source(Small(), tmp_path / "small.py")
    code = (tmp_path / "small.py").read_text(encoding="utf-8")
    assert "self.head = nn.Conv2d(3, 8, 3, padding=1)" in code
    assert "self.strided = nn.Conv2d(8, 8, (3, 5), stride=2, padding=(0, 1), groups=2, bias=False)" in code
    assert "torch.ops" not in code
    assert "weights_only=True" in code
    tensors = torch.load(tmp_path / "small.weights.pt", weights_only=True)
    assert tensors.keys() == {"head.weight", "head.bias", "strided.weight", "slope", "mean", "tail.weight", "tail.bias"}


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_of_one_size_takes_that_size(ending, tmp_path):
    path = tmp_path / f"small{ending}"
    assert WRITERS[ending](Small(), path, lr_size=(20, 28)) <= TOLERANCE
    if ending != ".py":
        assert read(path)(torch.rand(1, 3, 20, 28)).shape == (1, 3, 80, 112)
    else:
        assert "one picture of 28x20 pixels" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("scale", "times"), [(2, "twice"), (3, "three times"), (4, "four times")])
def test_the_source_says_how_much_larger_pictures_become(scale, times, tmp_path):
    write_source(nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)), tmp_path / "net.py")
    code = (tmp_path / "net.py").read_text(encoding="utf-8")
    assert code.startswith(f'"""A network that enlarges pictures {times}, as plain PyTorch')
    assert f"to (n, 3, {scale}h, {scale}w)" in code


@pytest.mark.parametrize("ending", WRITERS)
def test_an_export_that_differs_is_refused_and_leaves_no_file(ending, tmp_path):
    with pytest.raises(ExportError, match=r"within 0\.0001"):
        WRITERS[ending](OtherWhenTraced(), tmp_path / f"wrong{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", WRITERS)
def test_what_cannot_be_traced_is_said_in_one_line(ending, tmp_path):
    with pytest.raises(
        InputError, match=f"ForOneSize cannot be written as {ending[1:]}: .*leave this format out"
    ) as caught:
        WRITERS[ending](ForOneSize(), tmp_path / f"wrong{ending}")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
