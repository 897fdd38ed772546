import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_spaces.architecture import Architecture, Block
from sr.checkpoint import FORMAT, Checkpoint, Description, load, load_network, one_line, save
from sr.deployment import deploy
from sr.errors import InputError

BRANCHED = Architecture(8, (Block("branched_conv"), Block("residual_relu")), image_skip="bicubic")
DESCRIPTIONS = {
    "searched": Description("searched", BRANCHED.to_json()),
    "normed": Description("searched", Architecture(8, (Block("idle"),), norm="batch").to_json()),
    "baseline": Description("baseline", {"name": "rfdn", "num_feat": 8}),
}
SMALL = DESCRIPTIONS["searched"]


def checkpoint_of(description: Description, *, deployed: bool = False) -> tuple[Checkpoint, nn.Module]:
    network = description.build().eval()
    network = deploy(network) if deployed else network
    return Checkpoint(description, network.state_dict(), deployed, {"steps": 3}, {"data": "noise"}), network


def content(**changes: Any) -> dict[str, Any]:
    """What a file of ours holds, with changes; None takes a field away."""
    checkpoint, _ = checkpoint_of(SMALL)
    values = {
        "format": FORMAT,
        "scale": 4,
        "input_range": [0.0, 1.0],
        "family": SMALL.family,
        "config": dict(SMALL.config),
        "deployed": False,
        "tensors": dict(checkpoint.tensors),
        "recipe": {},
        "provenance": {},
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def refused(path: Path) -> str:
    """The one line that says why the network of a file cannot be had."""
    with pytest.raises(InputError) as caught:
        load_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_network_comes_back_bit_for_bit(name: str, deployed: bool, tmp_path: Path) -> None:
    written, network = checkpoint_of(DESCRIPTIONS[name], deployed=deployed)
    save(tmp_path / "net.pth", written)
    read = load(tmp_path / "net.pth")
    assert read.description == written.description
    assert read.deployed is deployed
    assert read.recipe == {"steps": 3}
    assert read.provenance["data"] == "noise"
    assert {"date", "python", "torch"} <= set(read.provenance)
    back = load_network(tmp_path / "net.pth")
    assert not any(module.training for module in back.modules())
    lr = torch.rand(1, 3, 16, 17)
    with torch.inference_mode():
        assert torch.equal(back(lr), network(lr))
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


@pytest.mark.parametrize(
    ("description", "scale"),
    [
        (Description("searched", BRANCHED.to_json()), 4),
        (Description("searched", BRANCHED.to_json() | {"scale": 3}), 3),
        (Description("baseline", {"name": "ecbsr", "scale": 2}), 2),
        (Description("pruned", {"of": {"family": "baseline", "config": {"name": "rfdn"}}, "plan": {}}), 4),
        (Description("pruned", {"of": {"family": "baseline", "config": {"name": "rfdn", "scale": 2}}, "plan": {}}), 2),
    ],
)
def test_a_description_says_its_scale_and_the_file_notes_it(
    description: Description, scale: int, tmp_path: Path
) -> None:
    assert description.scale == scale
    save(tmp_path / "net.pth", Checkpoint(description, {"weight": torch.ones(1)}))
    assert torch.load(tmp_path / "net.pth", weights_only=True)["scale"] == scale
    assert load(tmp_path / "net.pth").description.scale == scale


def test_a_path_may_be_text(tmp_path: Path) -> None:
    checkpoint, network = checkpoint_of(SMALL)
    save(str(tmp_path / "net.pth"), checkpoint)
    assert load(str(tmp_path / "net.pth")).description == SMALL
    lr = torch.rand(1, 3, 16, 17)
    with torch.inference_mode():
        assert torch.equal(load_network(str(tmp_path / "net.pth"))(lr), network(lr))
    with pytest.raises(InputError, match=r"no checkpoint at x\.pth"):
        load_network("x.pth")


def test_a_deployed_network_is_the_smaller_one(tmp_path: Path) -> None:
    for deployed in (False, True):
        save(tmp_path / f"{deployed}.pth", checkpoint_of(SMALL, deployed=deployed)[0])
    assert len(load(tmp_path / "True.pth").tensors) < len(load(tmp_path / "False.pth").tensors)


def test_layout_and_views_do_not_matter(tmp_path: Path) -> None:
    checkpoint, network = checkpoint_of(SMALL)
    save(tmp_path / "plain.pth", checkpoint)
    views: dict[str, Tensor] = {}
    for name, tensor in network.to(memory_format=torch.channels_last).state_dict().items():  # type: ignore[call-overload]
        views[name] = torch.cat([tensor, *[torch.zeros_like(tensor)] * 20])[: len(tensor)]
    save(tmp_path / "views.pth", replace(checkpoint, tensors=views))
    read = load(tmp_path / "views.pth")
    assert all(torch.equal(tensor, read.tensors[name]) for name, tensor in checkpoint.tensors.items())
    assert all(tensor.is_contiguous() for tensor in read.tensors.values())
    assert (tmp_path / "views.pth").stat().st_size < 1.1 * (tmp_path / "plain.pth").stat().st_size


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_saved(value: float, tmp_path: Path) -> None:
    checkpoint, network = checkpoint_of(SMALL)
    network.conv_first.weight.data[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"conv_first\.weight holds NaN or infinity"):
        save(tmp_path / "net.pth", checkpoint)
    assert list(tmp_path.iterdir()) == []


SAVE_ON_A_SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError
import torch

# No file may grow beyond a kilobyte, as on a full disk.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    save(Path(sys.argv[1]), Checkpoint(Description("baseline", {"name": "rfdn"}), {"weight": torch.rand(1000)}))
except InputError as error:
    print(error)
"""


def test_a_full_disk_is_an_input_error_and_leaves_nothing(tmp_path: Path) -> None:
    # In a process of its own: the limit would also hold for the file that the test run writes its output to.
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", SAVE_ON_A_SMALL_DISK, str(tmp_path / "net.pth")]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=120)
    assert "cannot write" in ended.stdout
    assert list(tmp_path.iterdir()) == []


class Intruder:
    """A pickle of it makes a folder where it is loaded carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    mark, bare, inside = (tmp_path / name for name in ("mark", "bare.pth", "inside.pth"))
    bare.write_bytes(pickle.dumps(Intruder(mark)))
    torch.save(content(provenance={"by": Intruder(mark)}), inside)
    for path in (bare, inside):
        assert "nothing in it was run" in refused(path)
    assert not mark.exists()
    # The trap is a real one.
    pickle.loads(bare.read_bytes())
    assert mark.exists()


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Conv2d(3, 3, 1), tmp_path / "module.pth")
    assert "no checkpoint of tensors and plain values" in refused(tmp_path / "module.pth")


def test_text_and_truncated_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("these are no weights\n" * 10)
    (tmp_path / "empty.pth").touch()
    save(tmp_path / "whole.pth", checkpoint_of(SMALL)[0])
    whole = (tmp_path / "whole.pth").read_bytes()
    for name in ("text", "empty"):
        refused(tmp_path / f"{name}.pth")
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "cut.pth").write_bytes(whole[: int(share * len(whole))])
        assert "truncated" in refused(tmp_path / "cut.pth")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no checkpoint at" in refused(tmp_path / "absent.pth")
    assert "no checkpoint at" in refused(tmp_path)


WEIGHT = "conv_first.weight"
REFUSED: dict[str, tuple[Any, str]] = {
    "a foreign state_dict": ({"weight": torch.ones(1)}, "baselines.convert"),
    "a list": ([1, 2], "baselines.convert"),
    "another format": (content(format="paretosr-9"), f"not a {FORMAT} checkpoint"),
    "another scale": (content(scale=2), "the scale must be 4, as in its config, got 2"),
    "no scale": (content(scale=None), "the scale must be 4, as in its config, got None"),
    "a scale of its config alone": (
        content(config=BRANCHED.to_json() | {"scale": 2}),
        "must be 2, as in its config, got 4",
    ),
    "a scale that there is not": (
        content(scale=5, config=BRANCHED.to_json() | {"scale": 5}),
        "the scale of its config must be one of 2, 3, 4, got 5",
    ),
    "no tensors": (content(tensors=None), "the field 'tensors' must be a dict"),
    "a config that is text": (content(config="rfdn"), "the field 'config' must be a dict"),
    "deployed that is a number": (content(deployed=1), "the field 'deployed' must be a bool"),
    "an unknown family": (content(family="gan"), "one of searched, baseline, pruned, got 'gan'"),
    "an unknown baseline": (content(family="baseline", config={"name": "rdn"}), "got 'rdn'"),
    "an unknown block": (content(config=BRANCHED.to_json() | {"blocks": ["magic"]}), "this is no searched network"),
    "blocks of a wrong type": (content(config=BRANCHED.to_json() | {"blocks": 5}), "this is no searched network"),
    "a missing choice": (content(config={"num_feat": 8}), "this is no searched network"),
    "other tensors": (content(tensors={"weight": torch.ones(1)}), "its tensors are not those of its description"),
    "a tensor of another size": (
        content(tensors=content()["tensors"] | {WEIGHT: torch.ones(1)}),
        "its tensors are not those of its description",
    ),
    "training tensors as deployed": (content(deployed=True), "its tensors are not those of its description"),
    "NaN": (content(tensors={WEIGHT: torch.tensor(float("nan"))}), "finite numbers"),
    "a number for a tensor": (content(tensors={WEIGHT: 1.0}), "finite numbers"),
    "a number for a name": (content(tensors={7: torch.ones(1)}), "7 must be a name"),
    "a sparse tensor": (content(tensors={WEIGHT: torch.eye(3).to_sparse()}), "a plain tensor"),
    "a tensor without content": (content(tensors={WEIGHT: torch.ones(3, device="meta")}), "a plain tensor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_checkpoint_of_ours_is_one_line(case: str, tmp_path: Path) -> None:
    values, reason = REFUSED[case]
    torch.save(values, tmp_path / "bad.pth")
    assert reason in refused(tmp_path / "bad.pth")


def test_the_hand_made_content_is_else_a_good_one(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "good.pth")
    assert load_network(tmp_path / "good.pth")(torch.rand(1, 3, 16, 16)).shape == (1, 3, 64, 64)


def test_long_messages_are_cut_to_one_line() -> None:
    assert one_line(ValueError("a\n  b\tc")) == "a b c"
    assert one_line(ValueError("x" * 50), limit=10) == "x" * 10 + "..."
