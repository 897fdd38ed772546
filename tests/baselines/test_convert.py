"""The command that converts official weights."""

import pytest
import torch

from baselines import BASELINES, build
from baselines.convert import main
from sr import checkpoint
from sr.command import BAD_INPUT, DONE, run


@pytest.fixture
def official(tmp_path):
    """Return a file of tensors named as in DISP's official one."""
    tensors = build("disp").state_dict()
    for theirs, ours in (
        ("conv_1.", "head."),
        ("conv_2.", "trunk."),
        ("_extern_conv_block.0.", "c3_r."),
        ("c3_r.", "c4_r."),
    ):
        tensors = {key.replace(ours, theirs): tensor for key, tensor in tensors.items()}
    torch.save(tensors, tmp_path / "official.pth")
    return tmp_path / "official.pth"


def test_a_file_becomes_a_checkpoint_that_loads(official, tmp_path, capsys):
    assert run(main, ["disp", str(official), "--out", str(tmp_path / "ours.pth")]) == DONE
    ours = checkpoint.load(tmp_path / "ours.pth")
    assert f"disp: {len(ours.tensors)} tensors written to" in capsys.readouterr().out
    assert ours.description == checkpoint.Description("baseline", {"name": "disp"})
    assert checkpoint.load_network(tmp_path / "ours.pth").head.out_channels == 32


def test_bad_files_and_names_end_in_one_line(official, tmp_path, capsys):
    for name, file, complaint in (
        ("disp", tmp_path / "absent.pth", "no weights at"),
        ("rfdn", official, "these are not rfdn's official weights"),
        ("fimdn", tmp_path / "absent.pth", "official weights are known for msrresnet, "),
    ):
        assert run(main, [name, str(file), "--out", str(tmp_path / "ours.pth")]) == BAD_INPUT
        message = capsys.readouterr().err
        assert complaint in message
        assert message.count("\n") == 1
    assert not (tmp_path / "ours.pth").exists()


def test_the_names_are_listed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--list"])
    assert capsys.readouterr().out.split() == [name for name, entry in BASELINES.items() if entry.official_keys]
