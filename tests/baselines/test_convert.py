"""The command that converts official weights."""

import pytest
import torch

from baselines import build
from baselines.convert import main
from baselines.weights.layouts import known_names
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


def test_what_was_chosen_and_inferred_is_said_on_standard_error(tmp_path, capsys):
    tensors = {name: tensor.half() for name, tensor in build("srvgg", num_feat=8, num_block=2).state_dict().items()}
    torch.save({"params": tensors, "params_ema": tensors}, tmp_path / "official.pth")
    assert run(main, ["srvgg", str(tmp_path / "official.pth"), "--out", str(tmp_path / "ours.pth")]) == DONE
    assert capsys.readouterr().err.splitlines() == [
        "took the weights of params_ema; left those of params",
        "they fit srvgg with num_feat=8, num_block=2",
        "converted from float16 to float32",
    ]


def test_weights_of_another_scale_come_in_and_where_their_shapes_do_not_tell_it_is_asked(tmp_path, capsys):
    ours, theirs = tmp_path / "ours.pth", tmp_path / "official.pth"
    torch.save(build("srvgg", num_feat=8, num_block=2, scale=3).state_dict(), theirs)
    assert run(main, ["srvgg", str(theirs), "--out", str(ours)]) == DONE
    size = {"num_feat": 8, "num_block": 2}
    assert checkpoint.load(ours).description.config == {"name": "srvgg", **size, "scale": 3}
    lr = torch.rand(1, 3, 16, 18)
    assert checkpoint.load_network(ours)(lr).shape == (1, 3, 48, 54)
    transposed = build("fsrcnn", **size, transposed=True, scale=2).state_dict()
    named = {"head.": "first_part.", "body.": "mid_part.", "tail.conv.": "last_part."}
    torch.save({_renamed(key, named): tensor for key, tensor in transposed.items()}, theirs)
    capsys.readouterr()
    for flags, scale in (([], 4), (["--scale", "2"], 2)):
        assert run(main, ["fsrcnn", str(theirs), "--out", str(ours), *flags]) == DONE
        assert checkpoint.load_network(ours)(lr).shape == (1, 3, 16 * scale, 18 * scale)
        said = capsys.readouterr().err
        assert ("took them to be x4: their shapes fit x2 or x3 or x4, and --scale says which" in said) == (not flags)


def _renamed(key, named):
    for ours, theirs in named.items():
        key = theirs + key.removeprefix(ours) if key.startswith(ours) else key
    return key


def test_bad_files_and_names_end_in_one_line(official, tmp_path, capsys):
    for name, file, complaint in (
        ("disp", tmp_path / "absent.pth", "no weights at"),
        ("rfdn", official, "these are not rfdn's official weights, but look like disp's"),
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
    assert capsys.readouterr().out.split() == known_names()
