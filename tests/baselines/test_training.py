"""A training by stages, and the network that is shipped."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from baselines import build
from baselines.config import TrainConfig
from baselines.training import deployed_form, train
from sr.checkpoint import Checkpoint, Description, load, load_network, save
from sr.data.sources import load_set
from sr.deployment import deploy
from sr.errors import InputError
from sr.progress import Event, Message


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small picture."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(data.astronaut()[100:260, 100:260]).save(folder / "picture.png")
    return folder


def config_for(picture: Path, out: Path, **changes: object) -> TrainConfig:
    """Return a training of two stages and a few steps."""
    values = {"config": {"num_feat": 8, "num_block": 1}, "steps": 10, "batch": 2, "patch": 16, "device": "cpu"}
    return TrainConfig(**{"name": "rfdn", "out": out, "data": picture, "val": picture, **values, **changes})  # type: ignore[arg-type]


def test_every_stage_is_trained_and_the_network_saved(picture: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    trained = train(config_for(picture, tmp_path / "network.pth"), events.append)
    messages = [event.text for event in events if isinstance(event, Message)]
    assert messages[-2:] == ["stage 1 of 2: 9 steps", "stage 2 of 2: 1 steps"]
    assert [recipe.loss for recipe in trained.recipes] == ["l1", "l2"]
    assert {(recipe.batch, recipe.patch) for recipe in trained.recipes} == {(2, 16)}
    assert trained.quality.pictures == trained.bicubic.pictures == 1
    kept = load(tmp_path / "network.pth")
    assert kept.description == Description("baseline", {"name": "rfdn", "num_feat": 8, "num_block": 1})
    assert (kept.deployed, kept.recipe) == (True, trained.recipe_json())
    assert [path.name for path in tmp_path.iterdir()] == ["network.pth"]


def test_patches_are_no_larger_than_every_picture_can_give(picture: Path, tmp_path: Path) -> None:
    trained = train(config_for(picture, tmp_path / "network.pth", patch=None, steps=1))
    assert {recipe.patch for recipe in trained.recipes} == {40}


@pytest.mark.numeric
def test_a_training_goes_on_behind_its_last_finished_stage(picture: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "network.pth", {"num_feat": 8, "num_block": 1}
    network = build("rfdn", **config)
    form = {"name": "rfdn", **config}
    recipes = train(config_for(picture, tmp_path / "another.pth")).recipe_json()["stages"]
    (tmp_path / "another.pth").unlink()
    asked = {**form, "recipes": recipes, "pictures": load_set(picture, "train").manifest.identity}
    between = Checkpoint(Description("baseline", form), network.state_dict(), recipe={"stages_done": 2, "asked": asked})
    save(tmp_path / "network.pth.partial", between)
    with pytest.raises(InputError, match="has an interrupted training beside it"):
        train(config_for(picture, out))
    with pytest.raises(InputError, match="give the same flags, or remove it"):
        train(config_for(picture, out, config={"num_feat": 10, "num_block": 1}, resume=True))
    with pytest.raises(InputError, match=r"its recipes was .* give the same flags"):
        train(config_for(picture, out, steps=20, resume=True))
    with pytest.raises(InputError, match=r"its scale was 4 and is now 2; give the same flags"):
        train(config_for(picture, out, scale=2, resume=True))
    # As a kill leaves it between a stage's end and the removal of its state: of no other stage.
    (tmp_path / "network.pth.stage2.state").write_bytes(b"of a finished stage")
    train(config_for(picture, out, resume=True))
    # Both stages were done: what was kept is what is shipped.
    expected = deploy(network).state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in load_network(out).state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["network.pth"]


@pytest.mark.numeric
def test_training_killed_before_its_first_stage_ended_goes_on(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "network.pth"

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("baselines.training.fit", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config_for(picture, out))
    # It begins with the weights of its seed, as at first.
    torch.manual_seed(0)
    drawn = build("rfdn", num_feat=8, num_block=1).state_dict()
    kept = load(tmp_path / "network.pth.partial").tensors
    assert all(torch.equal(tensor, kept[name]) for name, tensor in drawn.items())
    train(config_for(picture, out, resume=True))
    assert [path.name for path in tmp_path.iterdir()] == ["network.pth"]


def test_there_must_be_something_to_go_on_with(picture: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no interrupted training beside"):
        train(config_for(picture, tmp_path / "network.pth", resume=True))


def test_bases_grow_by_one_at_each_stage_that_says_so(picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "network.pth"
    train(config_for(picture, out, name="dilutnet", steps=3))
    assert load(out).description.config == {"name": "dilutnet", "num_feat": 8, "num_block": 1}


@pytest.mark.numeric
@pytest.mark.parametrize(("name", "form"), [("larvanet", {"legs": True}), ("fimdn", {"branched": True})])
def test_the_shipped_form_computes_what_was_trained(name: str, form: dict[str, bool]) -> None:
    trained = build(name, num_feat=8, num_block=1, **form).double()
    shipped = deployed_form(name, {"num_feat": 8, "num_block": 1}, trained)
    # Its parameters are float32's, what is computed with them is float64.
    shipped, lr = shipped.double(), torch.rand(1, 3, 20, 24, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(shipped(lr), deploy(trained)(lr), atol=1e-5, rtol=0)
    assert sum(p.numel() for p in shipped.parameters()) < sum(p.numel() for p in trained.parameters())
