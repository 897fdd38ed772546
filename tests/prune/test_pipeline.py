"""From a checkpoint to a pruned network beside its rivals, and one line for whatever is wrong."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from skimage import data

from prune import setup
from prune.config import PruneConfig
from prune.graph.liveness import channel_liveness
from prune.graph.plan import Plan
from prune.network import opened
from prune.pipeline import PruneResult, prune
from prune.runtime_ratio import BesideDense
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.setup import Timing
from search_spaces.architecture import Architecture, Block
from sr.checkpoint import Checkpoint, Description, load, load_network, save
from sr.errors import InputError
from sr.export_config import ExportConfig
from sr.exporting import export_file
from sr.measure.latency import Protocol
from sr.model_card import MEASUREMENT, write_beside
from sr.progress import Event, Message, Step, no_report
from tests.prune.by_multi_adds import by_multi_adds

BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
NETWORK = {"name": "msrresnet", "num_feat": 8, "num_block": 1}
# How far two float32 orders of summation may lie apart: a dot product of n terms errs by n times the unit roundoff at
# most, and over the depth these add up; 7 convolutions read 8 channels, 3x3 at the most.
ROUNDING = torch.finfo(torch.float32).eps * 7 * 8 * 9
METHODS = ("per-layer-shared", "group", "magnitude")


TIMING = Timing(BRIEF, BRIEF, by_multi_adds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small picture to train on, one to validate on, and tiny checkpoints."""
    folder = tmp_path_factory.mktemp("folder")
    for part, picture in (("train", data.astronaut()[100:260, 100:260]), ("val", data.chelsea()[100:180, 100:180])):
        (folder / part).mkdir()
        Image.fromarray(picture).save(folder / part / "picture.png")
    imdn = {"name": "imdn", "num_feat": 8, "num_block": 1}
    for name, config in {"network": NETWORK, "narrow": NETWORK | {"num_feat": 4}, "imdn": imdn}.items():
        torch.manual_seed(0)
        description = Description("baseline", config)
        save(folder / f"{name}.pth", Checkpoint(description, description.build().state_dict()))
    return folder


def asked(folder: Path, out: Path, **changes: Any) -> PruneConfig:
    short = PruneConfig(
        rounds=2, tick_steps=2, tock_steps=2, fine_tune_steps=2, batch=2, patch=8, lr_size=(24, 24), device="cpu",
        engine="torch", data=folder / "train", val=folder / "val", out=out,
    )  # fmt: skip
    return replace(short, **changes)


def limited(folder: Path, out: Path, **changes: Any) -> PruneConfig:
    limits = {"targets": ("params", "activations"), "budget": (5000.0, 150000.0), "distillation": 0.5}
    return asked(folder, out, **(limits | changes))


def contents(out: Path) -> dict[str, bytes]:
    """Return what going on leaves as it is: all but what is measured anew."""
    kept = (path for path in sorted(out.glob("*/*")) if path.name != MEASUREMENT)
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


def trained(events: list[Event]) -> list[Event]:
    """Return the steps of trainings."""
    return [event for event in events if isinstance(event, Step) and event.unit == "step"]


def interrupt(event: Event) -> None:
    """Interrupt where the second method's second round begins to train."""
    if isinstance(event, Step) and event.label == "group, round 2 of 2, tock":
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[PruneResult, dict[str, bytes]]:
    """Return a pruning that was interrupted and went on, and what lay in its folder when it was over."""
    out = tmp_path_factory.mktemp("done") / "out"
    with pytest.raises(KeyboardInterrupt):
        prune(folder / "network.pth", limited(folder, out), report=interrupt, timing=TIMING)
    assert (out / "per-layer-shared" / "plan.json").is_file()
    assert not (out / "group" / "plan.json").exists()
    result = prune(folder / "network.pth", limited(folder, out, resume=True), report=no_report, timing=TIMING)
    return result, contents(out)


def test_everything_lies_in_the_folder(done: tuple[PruneResult, dict[str, bytes]]) -> None:
    result, _ = done
    assert {path.name for path in result.folder.iterdir()} == {
        "asked.json", "run.toml", "planned.json", "pictures.json", "dense", *METHODS, "network.onnx",
        "network-24x24.onnx", "page.html", "results.json", "samples",
    }  # fmt: skip
    for method in METHODS:
        assert {path.name for path in (result.folder / method).iterdir()} == {
            "execution.json", "gates.state", "measurement.json", "network.pth", "plan.json",
        }  # fmt: skip
    assert json.loads((result.folder / "asked.json").read_text())["budget"] == "(5000.0, 150000.0)"
    page = (result.folder / "page.html").read_text()
    assert "Pruning network.pth" in page
    assert "paretosr.prune(" in page


def test_going_on_repeats_nothing_and_says_the_same(folder: Path, done: tuple[PruneResult, dict[str, bytes]]) -> None:
    result, before = done
    assert len([name for name in before if not name.startswith("samples")]) == 13
    for name in ("network.onnx", "page.html", "results.json"):
        (result.folder / name).unlink()
    events: list[Event] = []
    again = prune(
        folder / "network.pth", limited(folder, result.folder, resume=True), report=events.append, timing=TIMING
    )
    assert contents(result.folder) == before
    assert not trained(events)
    assert [each.name for each in again.outcomes] == [each.name for each in result.outcomes]
    results = json.loads((result.folder / "results.json").read_text())
    assert results == json.loads(json.dumps(again.to_json()))


def test_card_of_a_pruned_network_has_its_figures(done: tuple[PruneResult, dict[str, bytes]], tmp_path: Path) -> None:
    result, _ = done
    quality = result.measurements["group"].quality
    assert quality is not None
    config = ExportConfig(result.paths["group"], ("safetensors",), tmp_path)
    (card,) = write_beside(config, export_file(config))
    text = card.read_text()
    assert f"| network | {quality.psnr:.2f} |" in text
    assert "| bicubic interpolation | " in text
    assert "| torch | " in text


def test_the_result_tells_of_every_method(done: tuple[PruneResult, dict[str, bytes]]) -> None:
    result, _ = done
    assert [outcome.name for outcome in result.outcomes] == ["dense", "per-layer (shared)", "group", "magnitude"]
    assert result.chosen == "per-layer (shared)"
    assert result.left_out == ()
    dense, *pruned = result.outcomes
    for outcome in pruned:
        assert outcome.difference is not None
        assert outcome.difference < ROUNDING
        assert outcome.measurement.complexity.params < dense.measurement.complexity.params
        assert len(outcome.layers) == 7
    assert len(result.verdict) >= 5
    assert set(result.measurements) == set(result.paths)
    values = result.to_json()
    assert [each["name"] for each in values["outcomes"]] == [outcome.name for outcome in result.outcomes]
    assert (values["exported"], values["left_out"]) == (result.chosen, [])


def test_what_is_left_out_is_planned_and_stays_where_it_goes_on(folder: Path, tmp_path: Path) -> None:
    """Within a second hardly anything fits: the least of every phase, and what was asked for."""
    config = limited(
        folder, tmp_path / "out", time_limit=1.0, rounds=None, tick_steps=None, fine_tune_steps=None, distillation=0.0,
        methods=("per-layer",), budget=(1500.0, 90000.0),
    )  # fmt: skip
    told: list[Event] = []
    prune(folder / "narrow.pth", config, report=told.append, timing=TIMING)
    lines = [event.text for event in told if isinstance(event, Message)]
    assert [line for line in lines if line.startswith("plan: 2 rounds of 10 + 2 steps by 1 method")]
    assert [line for line in lines if "is more than what is left of 1 s" in line]
    assert [line for line in lines if line.startswith("fine-tuning 2 networks by 100 steps")]
    planned = (tmp_path / "out" / "planned.json").read_bytes()
    assert load(tmp_path / "out" / "dense" / "network.pth").recipe["steps"] == 100
    again: list[Event] = []
    prune(folder / "narrow.pth", replace(config, resume=True, time_limit=None), report=again.append, timing=TIMING)
    assert (tmp_path / "out" / "planned.json").read_bytes() == planned
    assert not trained(again)


def test_a_runtime_is_told_with_how_near_it_was_reached(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever is left of it takes nine tenths.
    monkeypatch.setattr(BesideDense, "ratios", lambda _, pairs: [0.9] * pairs)
    config = asked(folder, tmp_path / "out", ratio=0.6, methods=("per-layer",), time_limit=None)
    told: list[Event] = []
    result = prune(folder / "network.pth", config, report=told.append, timing=TIMING)
    lines = [event.text for event in told if isinstance(event, Message)]
    assert "per-layer (shared): takes 0.900 of the dense runtime, asked for 0.600" in lines
    written = json.loads((result.folder / "results.json").read_text())
    reached = written["outcomes"][1]["reached"]
    assert reached["asked"] == pytest.approx(0.6)
    assert (reached["ratio"], reached["below"], reached["above"]) == (0.9, None, 0.9)
    assert written["outcomes"][0]["reached"] is None
    assert json.loads((result.folder / "per-layer-shared" / "reached.json").read_text()) == reached
    assert written["seconds"]["limit"] is None
    assert written["seconds"]["taken"] > 0
    labels = dict.fromkeys(event.label for event in told if isinstance(event, Step))
    assert [label for label in labels if label in ("timing the first steps", "comparing", "exporting")] == [
        "timing the first steps", "comparing", "exporting",
    ]  # fmt: skip
    assert "per-layer (shared), measuring the last steps" in labels


def test_every_network_loads_and_the_export_agrees(done: tuple[PruneResult, dict[str, bytes]]) -> None:
    result, _ = done
    lr = torch.rand(1, 3, 21, 18)
    for path in result.paths.values():
        checkpoint = load(path)
        assert checkpoint.description.family == "pruned"
        assert (checkpoint.recipe["steps"], checkpoint.recipe["distillation"]) == (2, 0.5)
        with torch.inference_mode():
            assert load_network(path)(lr).shape == (1, 3, 84, 72)
    # Where two tie, which is ahead hangs on the clock, and going on above has measured them once more.
    exported = json.loads((result.folder / "results.json").read_text())["network"]
    with torch.inference_mode():
        expected = load_network(result.folder / exported)(lr).numpy()
    (got,) = onnxruntime.InferenceSession(result.folder / "network.onnx").run(None, {"lr": lr.numpy()})
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_pruned_network_is_pruned_again(
    folder: Path, done: tuple[PruneResult, dict[str, bytes]], tmp_path: Path
) -> None:
    source = done[0].paths["per-layer (shared)"]
    config = asked(
        folder, tmp_path / "again", targets=("params",), ratio=0.5, methods=("per-layer",),
        channel_orders=("independent",),
    )  # fmt: skip
    result = prune(str(source), config, timing=TIMING)
    again = load(result.paths[result.chosen]).description.config
    assert again["of"] == {"family": "baseline", "config": NETWORK}
    _, graph, before = opened(load(source))
    kept = Plan.from_json(again["plan"]).kept
    # What was dropped behind a gate stays dropped.
    for (member,) in (site.members for site in gate_sites(graph)):
        if all(len(unit) == 1 for unit in member.channels):
            channels = {channel for (channel,) in member.channels}
            assert channels & set(kept[member.conv].on(member.side)) <= set(before[member.conv].on(member.side))
    # The share is that of what the earlier pruning left.
    costs = Costs(graph, (24, 24))
    spent = [costs.of(channel_liveness(graph, each), "params") for each in (kept, before)]
    assert spent[0] <= 0.5 * spent[1]


def test_a_network_of_another_scale_is_pruned_at_it(folder: Path, tmp_path: Path) -> None:
    description = Description("searched", Architecture(8, (Block("residual_relu"),) * 2, scale=2).to_json())
    torch.manual_seed(0)
    save(tmp_path / "net.pth", Checkpoint(description, description.build().state_dict()))
    config = asked(folder, tmp_path / "out", targets=("params",), ratio=0.6, methods=("per-layer",))
    result = prune(tmp_path / "net.pth", config, timing=TIMING)
    assert load(result.paths[result.chosen]).description.scale == 2
    lr = torch.rand(1, 3, 21, 18)
    with torch.inference_mode():
        assert result.network(lr).shape == (1, 3, 42, 36)
    (exported,) = onnxruntime.InferenceSession(result.folder / "network.onnx").run(None, {"lr": lr.numpy()})
    assert exported.shape == (1, 3, 42, 36)


def test_a_method_that_cannot_is_left_out(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "FLOOR_ROUNDS", 2)
    events: list[Event] = []
    config = asked(
        folder, tmp_path / "out", targets=("params",), psnr_floor=1.0, fine_tune_steps=0, tick_steps=1,
        methods=("per-layer", "group"),
    )  # fmt: skip
    result = prune(folder / "imdn.pth", config, report=events.append, timing=TIMING)
    (line,) = result.left_out
    assert line.startswith("group is left out")
    assert "torch-pruning cannot prune" in line
    assert line in [event.text for event in events if isinstance(event, Message)]
    assert (tmp_path / "out" / "per-layer-shared" / "network.pth").is_file()
    alone = asked(folder, tmp_path / "alone", methods=("group",))
    assert "no method is left (group is left out: torch-pruning cannot" in refused(folder / "imdn.pth", alone)


def refused(checkpoint: Path, config: PruneConfig) -> str:
    """Return the one line that a pruning ends in."""
    with pytest.raises(InputError) as caught:
        prune(checkpoint, config, timing=TIMING)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget": 100000.0}, "within its limit already: runtime is"),
        ({"targets": ("params",), "budget": 1e9}, "within its limit already: params is"),
        ({"budget": 1e-6, "methods": ("per-layer",)}, "no plan of this network stays within"),
        ({"data": Path("/nosuch/folder")}, "/nosuch/folder"),
        ({"val": Path("/nosuch/folder")}, "/nosuch/folder"),
    ],
)
def test_limits_that_cannot_be_are_one_line(changes: dict[str, Any], words: str, folder: Path, tmp_path: Path) -> None:
    assert words in refused(folder / "network.pth", asked(folder, tmp_path / "out", **changes))


def test_a_failed_training_is_one_line(folder: Path, tmp_path: Path) -> None:
    config = limited(folder, tmp_path / "out", learning_rate=1e30)
    assert "try a smaller learning rate or batch" in refused(folder / "network.pth", config)


def test_broken_checkpoints_are_one_line(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.pth"
    config = asked(folder, tmp_path / "out")
    whole = (folder / "network.pth").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is no checkpoint" in refused(path, config)
    path.write_bytes(pickle.dumps(Path("a pickle of something else")))
    assert "nothing in it was run" in refused(path, config)
    content = torch.load(folder / "network.pth", weights_only=True)
    name = next(iter(content["tensors"]))
    torch.save(content | {"tensors": content["tensors"] | {name: content["tensors"][name] * torch.nan}}, path)
    assert "finite numbers" in refused(path, config)
    tensors = {key: tensor for key, tensor in content["tensors"].items() if key != name}
    torch.save(content | {"tensors": tensors}, path)
    assert f"{path}: its tensors are not those of its description" in refused(path, config)


def test_a_pruning_in_an_engine_ships_its_file(folder: Path, tmp_path: Path) -> None:
    # Few channels: every step of the network is exported by its counts.
    config = limited(folder, tmp_path / "out", engine="onnxruntime", methods=("per-layer",), budget=(1500.0, 90000.0))
    told: list[Event] = []
    result = prune(folder / "narrow.pth", config, report=told.append, timing=TIMING)
    assert any("ms dense in onnxruntime, float32" in event.text for event in told if isinstance(event, Message))
    assert {outcome.measurement.conditions.engine for outcome in result.outcomes} == {"onnxruntime"}
    assert result.shipped.file == "network-24x24.onnx"
    assert (result.folder / "network-24x24.onnx").is_file()
    written = json.loads((result.folder / "results.json").read_text())
    assert (written["engine"], written["precision"]) == ("onnxruntime", "float32")
    assert written["shipped"]["engines"]["onnxruntime"]["median_ms"] > 0
    assert [line for line in written["verdict"] if line.startswith("shipped: network-24x24.onnx takes")]
    assert "picture in onnxruntime, float32" in (result.folder / "page.html").read_text()
    assert json.loads((result.folder / "asked.json").read_text())["engine"] == "onnxruntime"
