"""PSNR on Set5 with the official weights: networks, conversion and metric together meet the published figures."""

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.official_weights import convert
from sr.deployment import deploy
from sr.measure.metrics import psnr

# RGB and Y, in dB: output clipped and rounded to 8 bit, 4-pixel border.
SET5 = {
    "imdn_aim19": ("imdn", 30.337, 32.250),
    "imdn_paper": ("imdn_paper", 30.302, 32.211),
    "rfdn": ("rfdn", 30.256, 32.161),
    "pan": ("pan", 30.222, 32.135),
    "latticenet": ("latticenet", 30.250, 32.181),
    "gcsr": ("gcsr", 30.259, 32.167),
    "rlfn_ntire22": ("rlfn", 30.207, 32.098),
    "efdn": ("efdn", 30.179, 32.080),
    "disp": ("disp", 30.039, 31.941),
    "spanv2": ("spanv2", 29.840, 31.770),
    "span28": ("span", 29.855, 31.746),
}
# Y alone, as printed for the real-time networks: the same networks written from another description.
SET5_LUMA = {
    "ABPN_M4C28_x4": ("abpn", 31.34),
    "ECBSR_M4C16_x4": ("srvgg", 30.89),
    "ECBSR_M4C32_x4": ("srvgg", 31.26),
    "ESPCN_x4": ("espcn", 30.69),
    "ETDS_M5C16_x4": ("etds", 30.89),
    "ETDS_M4C32_x4": ("etds", 31.21),
    "ETDS_M6C32_x4": ("etds", 31.43),
    "FSRCNN_x4": ("fsrcnn", 30.78),
}


@pytest.fixture(scope="module")
def pairs(shared):
    """Return Set5's (LR in [0, 1], HR as uint8) pairs, each (1, 3, h, w)."""
    names = sorted(path.name for path in (shared / "data" / "Set5" / "HR").glob("*.png"))
    assert len(names) == 5
    return [
        (picture(shared / "data/Set5/LRx4" / name).float() / 255, picture(shared / "data/Set5/HR" / name))
        for name in names
    ]


def picture(path):
    with Image.open(path) as opened:
        return torch.from_numpy(np.array(opened.convert("RGB"))).permute(2, 0, 1)[None]


@pytest.mark.parametrize("file", SET5)
def test_set5_with_official_weights(shared, pairs, file):
    name, rgb, luma = SET5[file]
    official = torch.load(shared / "reference" / f"{file}.pt", weights_only=True)["state_dict"]
    network = convert(name, official).build()
    with torch.inference_mode():
        results = [(network(lr), hr) for lr, hr in pairs]
    assert np.mean([psnr(sr, hr) for sr, hr in results]) == pytest.approx(rgb, abs=0.005)
    assert np.mean([psnr(sr, hr, luma=True) for sr, hr in results]) == pytest.approx(luma, abs=0.005)


@pytest.mark.parametrize("file", SET5_LUMA)
def test_set5_with_the_weights_of_real_time_networks(shared, pairs, file):
    name, luma = SET5_LUMA[file]
    official = torch.load(shared / "reference" / "realtime" / f"{file}.pt", weights_only=True)["state_dict"]
    network = deploy(convert(name, official).build())
    with torch.inference_mode():
        judged = [psnr(network(lr), hr, luma=True) for lr, hr in pairs]
    assert np.mean(judged) == pytest.approx(luma, abs=0.0051)
