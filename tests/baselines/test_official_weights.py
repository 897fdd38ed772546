"""Official weights: the converted networks return what the official code returns."""

import pytest
import torch

from baselines import BASELINES, build
from baselines.official_weights import convert, known_names, read
from sr import checkpoint
from sr.deployment import deploy
from sr.errors import InputError

# No file of their authors is among the references: their names alone are tested, beside the network.
WITHOUT_REFERENCE = {"bsrn", "fmen", "plainusr", "quicksrnet"}
FILES = {
    "imdn": ["imdn_aim19"],
    "rlfn": ["rlfn_ntire22"],
    "span": ["span28"],
    "abpn": ["realtime/ABPN_M4C28_x4"],
    "espcn": ["realtime/ESPCN_x4"],
    "etds": ["realtime/ETDS_M5C16_x4", "realtime/ETDS_M4C32_x4", "realtime/ETDS_M6C32_x4"],
    "fsrcnn": ["realtime/FSRCNN_x4"],
    "srvgg": ["realtime/ECBSR_M4C16_x4", "realtime/ECBSR_M4C32_x4"],
}
REFERENCES = [
    (name, file) for name in sorted(set(known_names()) - WITHOUT_REFERENCE) for file in FILES.get(name, [name])
]


def reference(shared, file):
    return torch.load(shared / "reference" / f"{file}.pt", weights_only=True)


@pytest.mark.numeric
@pytest.mark.parametrize(("name", "file"), REFERENCES)
def test_the_function_is_the_official_one(shared, name, file, tmp_path):
    official = reference(shared, file)
    checkpoint.save(tmp_path / "network.pth", convert(name, official["state_dict"]))
    # In float64: what the official code rounded is all that is left between the two.
    network = checkpoint.load_network(tmp_path / "network.pth").double()
    lr = official["lr"].double()
    with torch.inference_mode():
        sr, deployed = network(lr), deploy(network)(lr)
    torch.testing.assert_close(deployed, sr, rtol=0, atol=1e-9)
    # EFDN's official code alone clamps what it returns.
    sr = sr.clamp(0, 1) if name == "efdn" else sr
    assert float((sr - official["sr"]).abs().max()) < 1e-4
    assert torch.equal(lr, official["lr"].double())


@pytest.fixture
def official_rfdn():
    """Return small tensors named as in RFDN's official file."""
    named = {ours: official for official, ours in BASELINES["rfdn"].official_keys.items()}
    tensors = {}
    for key, tensor in build("rfdn").state_dict().items():
        start = max((ours for ours in named if key.startswith(ours)), key=len, default="")
        tensors[named.get(start, "") + key.removeprefix(start)] = tensor
    return tensors


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_files_are_read_as_frameworks_write_them(official_rfdn, tmp_path, wrapper, prefix):
    tensors = {prefix + key: tensor for key, tensor in official_rfdn.items()}
    torch.save({wrapper: tensors, "iter": 7} if wrapper else tensors, tmp_path / "official.pth")
    ours = convert("rfdn", read(tmp_path / "official.pth"))
    assert len(ours.tensors) == 128
    assert ours.description == checkpoint.Description("baseline", {"name": "rfdn"})
    assert torch.equal(ours.tensors["blocks.0.c1_d.weight"], official_rfdn["B1.c1_d.weight"])


def test_averaged_weights_go_first(official_rfdn, tmp_path):
    zeros = {key: torch.zeros_like(tensor) for key, tensor in official_rfdn.items()}
    torch.save({"params": zeros, "params_ema": official_rfdn}, tmp_path / "official.pth")
    assert read(tmp_path / "official.pth")["c.0.weight"].abs().sum() > 0


def test_half_precision_becomes_single(official_rfdn):
    halves = {key: tensor.half() for key, tensor in official_rfdn.items()}
    assert all(tensor.dtype == torch.float32 for tensor in convert("rfdn", halves).tensors.values())


def test_forms_are_recognised(shared):
    legs = convert("larvanet", reference(shared, "larvanet")["state_dict"])
    assert legs.description.config == {"name": "larvanet", "legs": True}
    rlfn = convert("rlfn", reference(shared, "rlfn_ntire22")["state_dict"])
    assert rlfn.description.config == {"name": "rlfn", "num_feat": 46, "mid_feat": 48, "num_block": 4}
    etds = convert("etds", reference(shared, "realtime/ETDS_M5C16_x4")["state_dict"])
    assert etds.description.config == {"name": "etds", "num_feat": 16, "num_block": 5, "clip_conv": True}


def test_faulty_tensors_are_named(official_rfdn):
    with pytest.raises(InputError, match=r"unknown extra\.weight"):
        convert("rfdn", official_rfdn | {"extra.weight": torch.zeros(1)})
    short = {key: tensor for key, tensor in official_rfdn.items() if not key.startswith("B4.")}
    with pytest.raises(InputError, match=r"missing blocks\.3\.c1_d\.weight.* and 26 more"):
        convert("rfdn", short)
    with pytest.raises(InputError, match=r"differently shaped fuse\.weight"):
        convert("rfdn", official_rfdn | {"c.0.weight": torch.zeros(1)})
    with pytest.raises(InputError, match=r"nothing in them becomes head\.weight"):
        convert("span", official_rfdn)
    with pytest.raises(InputError, match=r"not finite head\.bias"):
        convert("rfdn", official_rfdn | {"fea_conv.bias": torch.full((50,), torch.nan)})
    with pytest.raises(InputError, match="got 'fimdn'"):
        convert("fimdn", official_rfdn)


def test_bad_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    for name, complaint in {
        "absent": "no weights at",
        "text": "no file of tensors",
        "numbers": "named tensors",
    }.items():
        with pytest.raises(InputError, match=complaint) as caught:
            read(tmp_path / f"{name}.pth")
        assert "\n" not in str(caught.value)
