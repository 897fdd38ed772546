"""The networks of ours that spandrel builds too compute the same from the same file of random weights."""

import importlib.util
import warnings

import pytest
import torch

from baselines import build
from baselines.official_weights import convert
from baselines.registry import BASELINES
from sr.scale import SCALES

pytestmark = pytest.mark.numeric
# By our name: what spandrel calls it, and a size.
NETWORKS = {
    "span": ("SPAN", {"num_feat": 12, "branched": True}),
    "safmn": ("SAFMN", {"num_feat": 16, "num_block": 3}),
    "srvgg": ("Compact", {"num_feat": 12, "num_block": 4}),
}


@pytest.fixture(scope="module")
def spandrel():
    """Return spandrel, or skip where it is not installed."""
    why = "takes spandrel: pip install 'spandrel>=0.4,<0.5'"
    if importlib.util.find_spec("spandrel") is None or importlib.util.find_spec("torchvision") is None:
        pytest.skip(why)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A torchvision that was built for GPUs finds its own operators missing beside a PyTorch without them, and does
        # not load; no network here has one of them.
        missing = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, operator):
                missing.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        yield pytest.importorskip("spandrel", reason=why)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NETWORKS)
def test_both_give_the_same_output(name, scale, spandrel, as_published):
    theirs_name, size = NETWORKS[name]
    network = build(name, **size, scale=scale)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor += 0.05 * torch.randn_like(tensor)
    official = as_published(name, network)
    ours = convert(name, official).build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descriptor = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(official))
    assert (descriptor.architecture.id, descriptor.scale) == (theirs_name, scale)
    lr = torch.rand(2, 3, 24, 32)
    with torch.inference_mode():
        expected = descriptor.model.eval()(lr)
        # Both in float32, of which 2**-24 is lost in each of some thirty layers.
        torch.testing.assert_close(ours(lr), expected, rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max())))


def test_no_network_of_ours_that_spandrel_builds_is_left_out(spandrel):
    theirs = {each.architecture.id.lower() for each in spandrel.MAIN_REGISTRY.architectures()}
    systems = {name for name, entry in BASELINES.items() if {name, entry.system.lower()} & theirs}
    assert systems <= set(NETWORKS)
