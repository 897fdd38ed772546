"""A whole search by its one call: what it returns and reports, and how a stopped one goes on."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnxruntime
import pandas as pd
import pytest
import torch

from nas.config.measurement_plan import MeasurementPlan
from nas.config.search import SearchConfig
from nas.known_device import recall
from nas.pipeline import search
from nas.result import SearchResult
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, load, save
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.exporting import load_onnx
from sr.files import write_json
from sr.measure.quality import evaluate
from sr.measure.target import Target
from sr.progress import Event, Message, Step, no_report

Configure = Callable[..., SearchConfig]


@pytest.fixture(scope="module", autouse=True)
def _no_kaleido(hasty: None) -> Iterator[None]:  # noqa: ARG001
    """Run as where no kaleido is installed: it starts a browser for each page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "kaleido", None)
        yield


@pytest.fixture(scope="module")
def configure(small_pictures: dict[str, Path]) -> Configure:
    """Return what makes the config of a short search."""

    def make(out: Path, **fields: Any) -> SearchConfig:
        short = {
            "budget_ms": 60_000.0, "out": out, "data": small_pictures["train"], "val": small_pictures["val"],
            "lr_size": (24, 32), "batch": 2, "patch": 8, "device": "cpu", "engine": "torch", "workers": 1,
            "trials": 4, "trial_steps": 16, "train_steps": 6,
        }  # fmt: skip
        return SearchConfig(**{**short, **fields})  # type: ignore[arg-type]

    return make


@dataclass(frozen=True)
class Stopped:
    """A search that was stopped after its second trial and in its long training, and gone on with each time.

    Attributes:
        events: What each of the three calls reported.
        recorded: The numbers in trials.csv after the first two of them.
        result: What the last one returned.
    """

    events: tuple[list[Event], list[Event], list[Event]]
    recorded: tuple[list[int], list[int]]
    result: SearchResult


@pytest.fixture(scope="module")
def stopped(configure: Configure, plan: MeasurementPlan, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    out = tmp_path_factory.mktemp("searched")
    begun = configure(out)
    going_on = replace(begun, resume=True)
    first, second, third = list[Event](), list[Event](), list[Event]()
    with pytest.raises(KeyboardInterrupt):
        search(begun, report=interrupting(first, at="trial 1:"), plan=plan, command="typed so")
    two = recorded_in(out)
    with pytest.raises(KeyboardInterrupt):
        search(going_on, report=interrupting(second, at="training the chosen"), plan=plan, command="typed again")
    four = recorded_in(out)
    # More trials would be proposed, and the steps be others, were it not what was begun.
    result = search(
        replace(going_on, trials=9, train_steps=99), report=third.append, plan=plan, command="typed at last"
    )
    return Stopped((first, second, third), (two, four), result)


def recorded_in(folder: Path) -> list[int]:
    return [int(number) for number in pd.read_csv(folder / "trials.csv")["number"]]


def messages(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Message)]


def interrupting(events: list[Event], *, at: str) -> Callable[[Event], None]:
    """Return a report that interrupts where a line, or the label of a step, begins so."""

    def report(event: Event) -> None:
        events.append(event)
        # A phase says what is begun, not what is done.
        if isinstance(event, Message | Step) and str(event).startswith(at):
            raise KeyboardInterrupt

    return report


def test_interrupted_search_says_what_is_recorded_and_how_it_goes_on(stopped: Stopped) -> None:
    first, second, _ = stopped.events
    assert messages(first)[-1] == "interrupted with 2 trials recorded; the same command with --resume goes on"
    assert messages(second)[-1] == "interrupted with 4 trials recorded; the same command with --resume goes on"
    assert stopped.recorded == ([0, 1], [0, 1, 2, 3])


def test_resumed_search_does_nothing_twice(stopped: Stopped) -> None:
    told = [
        [line.partition(":")[0] for line in messages(events) if line.startswith("trial ")] for events in stopped.events
    ]
    assert told[0] == ["trial 0", "trial 1"]
    # One of four is promoted, and as the first of its rung at once to the top.
    promoted = told[1][-1]
    assert told[1] == ["trial 2", "trial 3", promoted, promoted]
    assert told[2] == []
    trials = stopped.result.trials
    assert trials["key"].tolist() == [seed.key for seed in MSRRESNET_SPACE.seeds[:4]]
    assert sorted(trials["last_steps"]) == [1, 1, 1, 16]


def test_search_stopped_in_its_long_training_trains_the_same_network_on(stopped: Stopped) -> None:
    _, second, third = stopped.events
    chosen = stopped.result.chosen
    assert chosen is not None
    assert chosen.recipe.steps == 6
    for events in (second, third):
        (line,) = (line for line in messages(events) if line.startswith("chosen: "))
        assert line.startswith(f"chosen: trial {chosen.trial.number}, ")
        assert line.endswith("; training it for 6 steps")


def test_search_looks_for_rivals_and_says_so(stopped: Stopped) -> None:
    """At its budget the largest of the family; without a limit in time finalists are not trained on."""
    result = stopped.result
    assert result.chosen is not None
    assert set(result.chosen.finalist.rivals) == {"ecbsr num_feat=64 num_block=16"}
    assert result.chosen.playoff is None
    assert any(line.startswith("Hand-designed networks of this budget, in the same rounds: ") for line in result.lines)
    assert result.chosen.rival_quality == {}


def test_device_is_remembered_for_later_searches(stopped: Stopped) -> None:
    assert stopped.result.chosen is not None
    known = recall(Target(torch.device("cpu"), (24, 32), "float32"))
    assert known.calm_ms((24, 32)) is not None
    assert known.model.networks >= 4


def test_result_holds_trials_front_and_the_chosen_network(stopped: Stopped, configure: Configure) -> None:
    result = stopped.result
    assert result.trials["number"].tolist() == [0, 1, 2, 3]
    assert set(result.front["number"]) <= set(result.trials["number"])
    assert result.chosen is not None
    assert result.meets_budget
    assert result.architecture == result.chosen.trial.architecture
    val = load_pairs(Path(configure(Path()).val or ""), "val")
    assert result.measurement.quality == evaluate(result.network, val)
    assert result.budget_ms == 60_000.0


def test_result_is_what_lies_in_its_folder(stopped: Stopped) -> None:
    result, folder = stopped.result, stopped.result.folder
    assert {path.name for path in folder.iterdir()} >= {"trials.csv", "front.csv", "pareto.html", "chosen"}
    assert (folder / "closing.txt").read_text().splitlines() == list(result.lines)
    assert (folder / "command.txt").read_text() == "typed at last\n"
    assert pd.read_csv(folder / "trials.csv")["key"].tolist() == result.trials["key"].tolist()
    assert not result.plot_is_drawn
    assert not (folder / "pareto.png").exists()


def test_search_reports_its_steps_in_order(stopped: Stopped) -> None:
    *_, third = stopped.events
    begins = [
        "space msrresnet at x4: ",
        "budget 60000 ms for 32x24 LR, float32 in torch, ",
        "pictures: 2 to train on, 2 to validate",
    ]
    assert [line.startswith(begin) for line, begin in zip(messages(third), begins, strict=False)] == [True, True, True]
    last = [event for event in third if isinstance(event, Step)][-1]
    assert (last.label, last.done, last.ended) == ("training the chosen", 6, True)


def test_search_at_another_scale_ends_in_a_network_of_it_and_goes_on_with_it_alone(
    configure: Configure, plan: MeasurementPlan, tmp_path: Path
) -> None:
    config = configure(tmp_path, scale=2, trials=2)
    result = search(config, plan=plan)
    assert {outcome.architecture.scale for outcome in result.outcomes} == {result.architecture.scale} == {2}
    lr = torch.rand(1, 3, 16, 20)
    with torch.no_grad():
        assert result.network(lr).shape == (1, 3, 32, 40)
    assert load(tmp_path / "chosen" / "network.pth").description.scale == 2
    assert "\N{MULTIPLICATION SIGN}2 super-resolution" in (tmp_path / "pareto.html").read_text(encoding="utf-8")
    assert "scale = 2" in (tmp_path / "run.toml").read_text(encoding="utf-8").splitlines()
    with pytest.raises(InputError, match="its scale was 2 and is now 4"):
        search(replace(config, scale=4, resume=True), plan=plan)


def test_study_that_is_there_is_not_overwritten(stopped: Stopped, configure: Configure, plan: MeasurementPlan) -> None:
    with pytest.raises(InputError, match=r"is already in .*; go on with --resume"):
        search(configure(stopped.result.folder), plan=plan)


def test_search_within_a_budget_that_nothing_meets_has_nothing_chosen_and_says_nothing(
    configure: Configure, plan: MeasurementPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = search(configure(tmp_path, budget_ms=0.001, trials=2), report=no_report, plan=plan)
    assert result.chosen is None
    assert not result.meets_budget
    assert set(result.trials["state"]) == {"infeasible"}
    assert result.front.empty
    assert result.lines[0].startswith("nothing meets the budget of 0.001 ms: the fastest of 2 candidates")
    assert (tmp_path / "closing.txt").read_text() == result.lines[0] + "\n"
    page = (tmp_path / "pareto.html").read_text()
    assert "network keeps to 0.001 ms here" in page
    assert "the fastest of 2 candidates takes" in page
    assert pd.read_csv(tmp_path / "trials.csv")["number"].tolist() == [0, 1]
    assert capsys.readouterr() == ("", "")


def test_search_without_seeds_and_predictions_begins_with_what_the_sampler_proposes(
    configure: Configure, plan: MeasurementPlan, tmp_path: Path
) -> None:
    config = configure(
        tmp_path, budget_ms=0.001, trials=2, sampler="random", seed=5, use_seeds=False, use_predictions=False
    )
    problem = SearchProblem(MSRRESNET_SPACE, 5, 0.001)
    sampler, trials = RandomSearch(problem), list[Trial]()
    result = search(config, on_trial=trials.append, plan=plan)
    assert tuple(trials) == result.outcomes
    for number, trial in enumerate(trials):
        assert trial.architecture == MSRRESNET_SPACE.decode(sampler.propose(number, trials[:number]))


def test_supernet_scores_the_candidates_and_the_best_train_on_with_a_teacher(
    configure: Configure, plan: MeasurementPlan, tmp_path: Path
) -> None:
    architecture, teacher, out = repeated(8, "branched_conv", 2), tmp_path / "teacher.pth", tmp_path / "out"
    save(teacher, Checkpoint(Description("searched", architecture.to_json()), build(architecture).state_dict()))
    # As the killed run left it that this one goes on from: its supernet holds little, and so trains fast.
    narrow = [seed.key for seed in MSRRESNET_SPACE.seeds if seed.num_feat <= 16]
    write_json(out / "supernet.population.json", narrow)
    # The supernet trains for four times the steps.
    result = search(configure(out, fidelity="supernet", trial_steps=2, teacher=teacher, distillation=0.25), plan=plan)
    assert sorted(result.trials["last_steps"]) == [0, 0, 0, 2]
    closing = (out / "closing.txt").read_text()
    assert "4 scored, 1 went on to 2 steps" in closing
    assert "with the weights that it inherits from the supernet" in closing
    assert (out / "supernet.pth").exists()
    (candidate,) = (path for path in (out / "candidates").glob("*.pth") if ".inherited" not in path.name)
    assert load(candidate).recipe["distillation"] == 0.25
    assert load(out / "chosen" / "network.pth").recipe["distillation"] == 0.25


@pytest.mark.skipif(importlib.util.find_spec("nni") is not None, reason="nni is installed here")
def test_sampler_that_is_not_installed_is_named_before_anything_is_written(
    configure: Configure, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the sampler nni needs the package nni"):
        search(configure(tmp_path / "out", sampler="nni"))
    assert not (tmp_path / "out").exists()


def test_search_in_another_engine_measures_and_judges_the_file_that_it_ships(
    configure: Configure, plan: MeasurementPlan, tmp_path: Path
) -> None:
    config = configure(tmp_path, engine="onnxruntime", trials=1, use_predictions=False)
    result = search(config, plan=plan)
    assert result.chosen is not None
    assert result.measurement.conditions.engine == "onnxruntime"
    assert next(iter(result.chosen.engines)) == "onnxruntime"
    assert "torch" in result.chosen.engines
    assert any(line.startswith("The same network in every engine here: onnxruntime ") for line in result.lines)
    session = onnxruntime.InferenceSession(tmp_path / "chosen" / "network-32x24.onnx")
    assert session.get_inputs()[0].shape == [1, 3, 24, 32]
    # The quality is of the file's own output.
    shipped = load_onnx(tmp_path / "chosen" / "network.onnx")
    assert result.measurement.quality == evaluate(shipped, load_pairs(Path(config.val or ""), "val"))
