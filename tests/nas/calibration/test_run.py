"""A calibration, whole: a few networks in full, every score ranked, and the same figures when it goes on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.calibration.run import CalibrationResult, calibrate
from nas.config.calibration import CalibrateConfig
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.errors import InputError
from sr.measure.latency import Protocol
from sr.progress import Event, Message, Report, no_report

# Wider networks than these take long to train and show nothing else.
SPACE = replace(
    MSRRESNET_SPACE, num_feat=(8, 12), positions=3, upsampler=("one_step",), aggregation=("none",),
    seeds=(repeated(8, "branched_conv", 1),),
)  # fmt: skip


FEW = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)


Calibrate = Callable[..., CalibrationResult]


def config(out: Path, pictures: dict[str, Path], **fields: Any) -> CalibrateConfig:
    tiny = {"budget_ms": 1000.0, "networks": 8, "steps": 16, "lr_size": (16, 16), "batch": 2, "patch": 6}
    where = {"device": "cpu", "engine": "torch", "data": pictures["train"], "val": pictures["val"], "out": out}
    return CalibrateConfig(**{**tiny, **where, **fields})


@pytest.fixture(scope="module")
def calibrated_in(small_pictures: dict[str, Path]) -> Calibrate:
    """Return what calibrates in a folder."""

    def calibrated(out: Path, report: Report = no_report, **fields: Any) -> CalibrationResult:
        asked = config(out, small_pictures, **fields)
        return calibrate(asked, report, command="as typed", space=SPACE, protocol=FEW)

    return calibrated


def taus(result: CalibrationResult) -> dict[str, float | None]:
    return {each.name: each.tau for each in result.rankings}


def interrupt_after_the_third(event: Event) -> None:
    """Interrupt, as Ctrl-C does, when the third network is trained."""
    if isinstance(event, Message) and event.text.startswith("network 3 of 8"):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def stopped_and_resumed(
    hasty: None,  # noqa: ARG001
    calibrated_in: Calibrate,
    tmp_path_factory: pytest.TempPathFactory,
) -> CalibrationResult:
    """A calibration that was stopped after its third network, and then went on."""
    out = tmp_path_factory.mktemp("calibrated")
    with pytest.raises(KeyboardInterrupt):
        calibrated_in(out, interrupt_after_the_third)
    assert len(json.loads((out / "networks.json").read_text())) == 3
    return calibrated_in(out)


def test_everything_promised_is_there(stopped_and_resumed: CalibrationResult) -> None:
    folder = stopped_and_resumed.folder
    figures = json.loads((folder / "calibration.json").read_text())
    assert figures == json.loads(json.dumps(stopped_and_resumed.to_json()))
    assert {"device", "versions", "date", "rankings", "networks", "settings", "budget_ms", "threads"} <= set(figures)
    assert figures["command"] == "as typed"
    assert len({json.dumps(each["architecture"]) for each in figures["networks"]}) == 8
    names = [each.name for each in stopped_and_resumed.rankings]
    assert {"multi_adds", "rung 0", "rung 1", "supernet", "regression + supernet + rung 0"} <= set(names)
    for each in stopped_and_resumed.rankings:
        assert each.tau is None or -1 <= (each.low or 0) <= (each.high or 0) <= 1 + 1e-9
    page = (folder / "calibration.html").read_text()
    assert all(name in page for name in names)


def test_equal_calibration_again_gives_the_same_and_trains_nothing(
    stopped_and_resumed: CalibrationResult, calibrated_in: Calibrate, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = []
    again = calibrated_in(stopped_and_resumed.folder, events.append)
    assert (again.rankings, again.networks) == (stopped_and_resumed.rankings, stopped_and_resumed.networks)
    texts = [event.text for event in events if isinstance(event, Message)]
    assert any(text.startswith("8 networks that take up to 1.5 times 1000 ms, 16 steps each") for text in texts)
    assert not any(text.startswith(("network ", "supernet")) for text in texts)
    assert capsys.readouterr() == ("", ""), "only commands print"


def test_supernet_that_was_stopped_becomes_the_same(
    stopped_and_resumed: CalibrationResult, calibrated_in: Calibrate
) -> None:
    (stopped_and_resumed.folder / "supernet.json").unlink()
    assert taus(calibrated_in(stopped_and_resumed.folder)) == taus(stopped_and_resumed)


def test_other_calibration_needs_a_folder_of_its_own(
    stopped_and_resumed: CalibrationResult, calibrated_in: Calibrate
) -> None:
    with pytest.raises(InputError, match=r"is of another calibration \(recipe differ\); name another --out"):
        calibrated_in(stopped_and_resumed.folder, seed=3)
    with pytest.raises(InputError, match=r"is of another calibration \(scale"):
        calibrated_in(stopped_and_resumed.folder, scale=2)


@pytest.mark.parametrize("name", ["networks.json", "supernet.json", "recipe.json"])
def test_broken_file_is_named(name: str, stopped_and_resumed: CalibrationResult, calibrated_in: Calibrate) -> None:
    path = stopped_and_resumed.folder / name
    kept = path.read_text()
    path.write_text("{")
    try:
        with pytest.raises(InputError) as caught:
            calibrated_in(stopped_and_resumed.folder)
    finally:
        path.write_text(kept)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_steps_for_the_rungs_are_refused_before_anything_is_written(
    calibrated_in: Calibrate, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="each rung must take more steps than the one before"):
        calibrated_in(tmp_path / "out", steps=4)
    assert not (tmp_path / "out").exists()


def test_budget_that_too_few_networks_meet_is_named(small_pictures: dict[str, Path], tmp_path: Path) -> None:
    single = replace(SPACE, num_feat=(8,), positions=1, kinds=("branched_conv",), image_skip=("nearest",))
    with pytest.raises(InputError, match="only 1 networks are within reach of the budget, asked for 8; raise --budget"):
        calibrate(config(tmp_path, small_pictures), space=single, protocol=FEW)
