"""Official weights: the converted networks return what the official code returns."""

import pytest
import torch

from baselines import BASELINES, build
from baselines.config import ConvertConfig
from baselines.official_weights import convert, convert_file
from baselines.weights.layouts import known_names
from sr import checkpoint
from sr.deployment import deploy
from sr.errors import InputError

# No file of their authors is among the references: their names alone are tested, beside the network.
WITHOUT_REFERENCE = {"bsrn", "fmen", "plainusr", "quicksrnet", "safmn", "bicubic_pp", "rt4ksr", "xlsr"}
FILES = {
    "imdn": ["imdn_aim19"],
    "rlfn": ["rlfn_ntire22"],
    "span": ["span28"],
    "abpn": ["realtime/ABPN_M4C28_x4"],
    "espcn": ["realtime/ESPCN_x4"],
    "etds": ["realtime/ETDS_M5C16_x4", "realtime/ETDS_M4C32_x4", "realtime/ETDS_M6C32_x4"],
    "fsrcnn": ["realtime/FSRCNN_x4"],
    "srvgg": ["realtime/ECBSR_M4C16_x4", "realtime/ECBSR_M4C32_x4"],
    "ecbsr": ["realtime/ECBSR_M4C16_x4", "realtime/ECBSR_M4C32_x4"],
}
REFERENCES = [
    (name, file) for name in sorted(set(known_names()) - WITHOUT_REFERENCE) for file in FILES.get(name, [name])
]


def reference(shared, file):
    return torch.load(shared / "reference" / f"{file}.pt", weights_only=True)


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


def converted(name, path, out):
    """Return the checkpoint that a file becomes, and what was said of it."""
    said = []
    return convert_file(ConvertConfig(name, path, out), said.append), [str(each) for each in said]


WRAPPERS = ["", "params", "params_ema", "generator", "model_state_dict", "state_dict", "model", "net_g", "net", "ema"]
PREFIXES = ["", "module.", "model.", "generator.", "generator_ema.", "net_g.", "_orig_mod.", "module._orig_mod."]


@pytest.mark.parametrize(
    ("wrapper", "prefix"),
    [*((wrapper, "module.") for wrapper in WRAPPERS), *(("model.params", each) for each in PREFIXES)],
)
def test_files_are_read_as_frameworks_write_them(official_rfdn, tmp_path, wrapper, prefix):
    content = {prefix + key: tensor for key, tensor in official_rfdn.items()}
    for name in filter(None, reversed(wrapper.split("."))):
        content = {name: content, "iter": 7}
    torch.save(content, tmp_path / "official.pth")
    ours, said = converted("rfdn", tmp_path / "official.pth", tmp_path / "ours.pth")
    assert len(ours.tensors) == 128
    assert ours.description == checkpoint.Description("baseline", {"name": "rfdn"})
    assert torch.equal(ours.tensors["blocks.0.c1_d.weight"], official_rfdn["B1.c1_d.weight"])
    assert said == []


def test_averaged_weights_go_first_and_the_choice_is_said(official_rfdn, tmp_path):
    zeros = {key: torch.zeros_like(tensor) for key, tensor in official_rfdn.items()}
    torch.save({"params": zeros, "params_ema": official_rfdn}, tmp_path / "official.pth")
    ours, said = converted("rfdn", tmp_path / "official.pth", tmp_path / "ours.pth")
    assert ours.tensors["fuse.weight"].abs().sum() > 0
    assert said == ["took the weights of params_ema; left those of params"]


def test_what_stands_beside_the_network_is_counted(official_rfdn, tmp_path):
    both = {f"generator.{key}": tensor for key, tensor in official_rfdn.items()}
    torch.save({"state_dict": {**both, "discriminator.0.weight": torch.ones(3)}}, tmp_path / "official.ckpt")
    _, said = converted("rfdn", tmp_path / "official.ckpt", tmp_path / "ours.pth")
    assert said == ["left 1 tensors outside of state_dict.generator"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_single_and_it_is_said(official_rfdn, dtype):
    said = []
    other = {key: tensor.to(dtype) for key, tensor in official_rfdn.items()}
    assert all(tensor.dtype == torch.float32 for tensor in convert("rfdn", other, said.append).tensors.values())
    assert [str(each) for each in said] == [f"converted from {str(dtype).removeprefix('torch.')} to float32"]


def test_another_size_is_inferred_and_said():
    tensors = build("srvgg", num_feat=24, num_block=3).state_dict()
    said = []
    assert convert("srvgg", tensors, said.append).description.config == {
        "name": "srvgg",
        "num_feat": 24,
        "num_block": 3,
    }
    assert [str(each) for each in said] == ["they fit srvgg with num_feat=24, num_block=3"]


def test_another_width_of_a_network_without_a_rule_of_its_own_is_inferred(official_rfdn):
    narrow = build("rfdn", num_feat=20).state_dict()
    by_size = dict(zip(official_rfdn, narrow.values(), strict=True))
    assert convert("rfdn", by_size).description.config == {"name": "rfdn", "num_feat": 20}


@pytest.mark.parametrize("scale", [2, 3])
def test_weights_of_another_scale_come_in(official_rfdn, scale):
    tail = {"upsampler.0.weight": torch.ones(3 * scale**2, 50, 3, 3), "upsampler.0.bias": torch.zeros(3 * scale**2)}
    said = []
    converted = convert("rfdn", official_rfdn | tail, said.append)
    assert converted.description.config == {"name": "rfdn", "scale": scale}
    assert [str(each) for each in said] == [f"they fit rfdn with scale={scale}"]
    assert converted.build()(torch.rand(1, 3, 16, 18)).shape == (1, 3, 16 * scale, 18 * scale)
    assert convert("rfdn", official_rfdn | tail, scale=scale).description == converted.description
    for other in {2, 3, 4} - {scale}:
        with pytest.raises(InputError, match=f"these weights of rfdn are x{scale}, not x{other}"):
            convert("rfdn", official_rfdn | tail, scale=other)


def test_a_scale_that_shapes_do_not_tell_is_asked_for():
    official = {}
    for key, tensor in build("pan", num_block=1, scale=3).state_dict().items():
        for theirs, ours in reversed(BASELINES["pan"].official_keys.items()):
            # What is renamed to nothing is found without its name too.
            key = key.replace(ours, theirs) if ours else key
        official[key] = tensor
    with pytest.raises(InputError, match="these weights of pan are x2 or x3, which their shapes do not tell: give --s"):
        convert("pan", official)
    converted = convert("pan", official, scale=3)
    assert converted.description.config == {"name": "pan", "num_block": 1, "scale": 3}
    with pytest.raises(InputError, match="--scale is one of 2, 3, 4, got 1"):
        convert("pan", official, scale=1)


def test_weights_for_a_scale_that_no_network_has_or_for_luma_are_named(official_rfdn):
    tail = {"upsampler.0.weight": torch.zeros(192, 50, 3, 3), "upsampler.0.bias": torch.zeros(192)}
    with pytest.raises(InputError, match=r"enlarge 8 times \(upsampler\.0\.weight has 192 outputs\): .* x2, x3, x4"):
        convert("rfdn", official_rfdn | tail)
    with pytest.raises(InputError, match=r"read luma alone \(head\.weight has 1 channel\)"):
        convert("rfdn", official_rfdn | {"fea_conv.weight": torch.zeros(50, 1, 3, 3)})


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
    with pytest.raises(InputError, match=r"not span's official weights, but look like rfdn's: .*convert rfdn"):
        convert("span", official_rfdn)
    with pytest.raises(InputError, match=r"not imdn's official weights, but look like rfdn's"):
        convert("imdn", official_rfdn)
    with pytest.raises(InputError, match=r"nothing in them becomes head\.weight"):
        convert("span", {"fc.weight": torch.ones(3, 3)})
    with pytest.raises(InputError, match=r"not of floating point head\.bias"):
        convert("rfdn", official_rfdn | {"fea_conv.bias": torch.zeros(50, dtype=torch.int8)})
    with pytest.raises(InputError, match=r"not finite head\.bias"):
        convert("rfdn", official_rfdn | {"fea_conv.bias": torch.full((50,), torch.nan)})
    with pytest.raises(InputError, match="got 'fimdn'"):
        convert("fimdn", official_rfdn)
