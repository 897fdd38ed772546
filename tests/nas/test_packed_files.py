"""What is shipped arrives whole where it is measured."""

from pathlib import Path

import torch

from nas.packed_files import PackedFiles
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.deployment import deploy
from sr.measure.target import Target
from sr.shipping import ShippedFiles


def test_files_and_network_arrive_under_the_same_names(tmp_path: Path) -> None:
    architecture = repeated(8, "branched_conv", 1)
    network = deploy(build(architecture)).eval()
    description = Description("searched", architecture.to_json())
    save(tmp_path / "network.pth", Checkpoint(description, network.state_dict(), deployed=True))
    names = ("network.onnx", "network-24x16.onnx", "network.xml", "network-24x16.xml")
    for name in (*names, "network.bin"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "measurement.json").touch()
    paths = [tmp_path / name for name in names]
    shipped = ShippedFiles(Target(torch.device("cpu"), (16, 24)), *paths, difference=0.5)
    picture = torch.rand(1, 3, 16, 24)
    with PackedFiles.of(shipped).unpacked() as (there, again):
        arrived = [there.any_size, there.one_size, there.own_any_size, there.own_one_size]
        assert [path.read_bytes().decode() for path in arrived if path is not None] == list(names)
        folder = there.any_size.parent
        assert folder != tmp_path
        assert sorted(path.name for path in folder.iterdir()) == sorted((*names, "network.bin", "network.pth"))
        assert torch.equal(again(picture), network(picture))
        assert (there.target, there.difference) == (shipped.target, 0.5)
    assert not folder.exists()
    plain = PackedFiles.of(ShippedFiles(shipped.target, paths[0], paths[1], None, None, 0.5))
    with plain.unpacked() as (there, _):
        assert (there.own_any_size, there.own_one_size) == (None, None)
