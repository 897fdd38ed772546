"""The end of a search that has a time limit: finalists side by side, rivals trained alike, nothing decided twice."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from baselines import BASELINES
from nas.config.measurement_plan import MeasurementPlan
from nas.config.search import SearchConfig
from nas.optuna_backend.study import OptunaStudy
from nas.pipeline import search
from nas.result import SearchResult
from search_spaces import SPACES
from sr.progress import Event, Message, Step

BUDGET_MS = 60_000.0


@pytest.fixture(scope="module", autouse=True)
def _no_kaleido_and_small_rivals(hasty: None) -> Iterator[None]:  # noqa: ARG001
    """Run as where no kaleido is installed, which starts a browser for each page, with rivals that train fast."""
    small = replace(BASELINES["ecbsr"], scaled_by={"num_feat": (8,), "num_block": (1, 2)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "kaleido", None)
        patch.setitem(BASELINES, "ecbsr", small)
        yield


def config_in(out: Path, pictures: dict[str, Path]) -> SearchConfig:
    return SearchConfig(
        budget_ms=BUDGET_MS, out=out, data=pictures["train"], val=pictures["val"], lr_size=(16, 24), batch=2, patch=8,
        device="cpu", engine="torch", workers=1,
        time_limit=60.0, trials=2, trial_steps=20, train_steps=4, fidelity="train", rivals=("ecbsr",),
    )  # fmt: skip


def messages(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Message)]


@pytest.fixture(scope="module")
def ended(
    plan: MeasurementPlan, small_pictures: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[SearchResult, list[list[Event]]]:
    """A search with a limit that was stopped in its long training, and gone on with."""
    begun, events = config_in(tmp_path_factory.mktemp("ended"), small_pictures), [list[Event](), list[Event]()]

    def stop(event: Event) -> None:
        events[0].append(event)
        if isinstance(event, Step) and event.label == "training the chosen":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(begun, report=stop, plan=plan)
    return search(replace(begun, resume=True), report=events[1].append, plan=plan), events


def test_finalists_are_trained_on_and_the_best_of_them_is_chosen(
    ended: tuple[SearchResult, list[list[Event]]],
) -> None:
    result, (first, _) = ended
    assert result.chosen is not None
    playoff = result.chosen.playoff
    assert playoff is not None
    assert set(playoff.psnr) == {0, 1}
    assert playoff.steps > 20
    assert result.chosen.trial.number == playoff.winner
    # Both are seeds, so that the better one is what there was before.
    assert playoff.control in playoff.psnr
    said = [line for line in messages(first) if line.startswith("finalist trial ")]
    assert len(said) == 2
    assert sum("(there before the search)" in line for line in said) == 1


def test_closing_says_what_searching_gained(ended: tuple[SearchResult, list[list[Event]]]) -> None:
    result, _ = ended
    assert sum(line.startswith("Searching gained ") for line in result.lines) == 1


def test_rivals_that_were_asked_for_are_trained_alike(ended: tuple[SearchResult, list[list[Event]]]) -> None:
    result, (_, second) = ended
    assert result.chosen is not None
    (title,) = result.chosen.rival_quality
    assert title.startswith("ecbsr ")
    assert title in result.chosen.finalist.rivals
    steps = [event for event in second if isinstance(event, Step) and event.label == f"training {title}"]
    assert steps[-1].done == result.chosen.recipe.steps == 4
    (line,) = (line for line in result.lines if line.startswith("Hand-designed networks of this budget"))
    assert f"{title} " in line
    assert f", {result.chosen.rival_quality[title].psnr:.2f} dB (Y " in line


def test_resumed_search_decides_nothing_again(ended: tuple[SearchResult, list[list[Event]]]) -> None:
    result, (first, second) = ended
    assert not [line for line in messages(second) if line.startswith(("finalist trial", "trial "))]
    chosen = [[line for line in messages(events) if line.startswith("chosen: ")] for events in (first, second)]
    assert chosen[0] == chosen[1]
    study = OptunaStudy(SPACES["msrresnet"], "search", str(result.folder / "study.journal"), BUDGET_MS)
    assert study.settings["phase"] == "done"
    assert result.chosen is not None
    assert result.chosen.playoff is not None
    assert study.settings["playoff"] == result.chosen.playoff.to_json()
