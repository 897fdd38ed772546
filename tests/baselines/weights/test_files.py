"""Files of weights: what is found in them, and the line that says what else a file is."""

import argparse
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from baselines.weights.files import read
from sr import checkpoint
from sr.errors import InputError

TENSORS = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    ("content", "places"),
    [
        (TENSORS, [""]),
        ({"params": TENSORS, "iter": 7}, ["params"]),
        ({"params": TENSORS, "params_ema": TENSORS}, ["params", "params_ema"]),
        ({"checkpoint": {"network": {"state_dict": TENSORS}}}, ["checkpoint.network.state_dict"]),
        ([TENSORS, {"epoch": 3}], ["0"]),
        ({**TENSORS, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}, [""]),
    ],
)
def test_every_set_of_named_tensors_is_found(content, places, tmp_path):
    torch.save(content, tmp_path / "weights.pth")
    found = read(tmp_path / "weights.pth")
    assert [each.place for each in found] == places
    assert all(each.tensors.keys() == TENSORS.keys() for each in found)


def test_options_and_figures_beside_tensors_are_no_obstacle(tmp_path):
    beside = {"args": argparse.Namespace(scale=4), "best": np.float64(31.2), "step": np.int64(5)}
    torch.save({"state_dict": TENSORS, **beside}, tmp_path / "weights.ckpt")
    assert torch.equal(read(tmp_path / "weights.ckpt")[0].tensors["conv.weight"], TENSORS["conv.weight"])


def test_the_old_form_of_torch_save_is_read(tmp_path):
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "old.pth")[0].tensors.keys() == TENSORS.keys()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_safetensors_are_read_whatever_they_are_called(name, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="takes safetensors: pip install safetensors")
    safetensors.save_file({key: tensor.half() for key, tensor in TENSORS.items()}, tmp_path / name)
    found = read(tmp_path / name)[0]
    assert found.tensors["conv.weight"].dtype == torch.float16


def _refused(path):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is empty"),
        (b"no weights", "no file of tensors"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\x08\x08\x12\x07pytorch", "no file of tensors"),
        (b"\x00\x01\x00\x00\x00\x00\x00\x00{torn", "no file of tensors"),
        (b"PK\x03\x04 torn", "truncated"),
    ],
)
def test_what_else_a_file_is_is_said_in_one_line(content, complaint, tmp_path):
    (tmp_path / "file.pth").write_bytes(content)
    assert complaint in _refused(tmp_path / "file.pth")


def test_files_without_named_tensors_are_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    assert "must hold named tensors" in _refused(tmp_path / "numbers.pth")
    assert "no weights at" in _refused(tmp_path / "absent.pth")
    assert "it is a folder" in _refused(tmp_path)


def test_a_truncated_file_is_refused(tmp_path):
    torch.save(TENSORS, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "torn.pth").write_bytes(content[: len(content) // 2])
    assert "no file of tensors" in _refused(tmp_path / "torn.pth")


def test_an_archive_whose_names_are_damaged_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "whole.pth", "w") as archive:
        archive.writestr("\N{BULLET}/data.pkl", b"")
    content = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "damaged.pth").write_bytes(content.replace("\N{BULLET}".encode(), b"\xff\xff\xff"))
    assert "no file of tensors" in _refused(tmp_path / "damaged.pth")


def test_a_pickled_network_is_not_run(tmp_path):
    torch.save(nn.Conv2d(3, 3, 1), tmp_path / "network.pth")
    message = _refused(tmp_path / "network.pth")
    assert "it asks to run torch.nn.modules.conv.Conv2d, and nothing in it was run" in message
    assert "save the network's state_dict()" in message


def test_archives_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.pth", "w") as archive:
        archive.writestr("weights.pth", b"x")
    assert "a zip archive; unpack it" in _refused(tmp_path / "archive.pth")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/constants.pkl", b"x")
    assert "a TorchScript program" in _refused(tmp_path / "script.pt")


def test_our_own_checkpoint_is_said_to_be_one(tmp_path):
    path = tmp_path / "ours.pth"
    checkpoint.save(path, checkpoint.Checkpoint(checkpoint.Description("baseline", {"name": "rfdn"}), TENSORS))
    assert "a checkpoint of ours already" in _refused(path)
