"""Prediction errors in words for people."""

from dataclasses import replace

from nas.known_device import KnownDevice
from nas.report.predictions import early_steps, prediction_lines
from nas.report.run import Run


def test_errors_are_said_in_percent_dB_and_shares_of_pairs(run: Run) -> None:  # noqa: N802 - dB is a unit
    known = replace(run, settings={**run.settings, "known": KnownDevice().to_json()})
    runtime, psnr = prediction_lines(known)
    assert runtime.startswith("Runtime: predicted before it was measured, it was right within ")
    assert psnr.startswith("PSNR after the first 390 training steps: predicted from a network's size and blocks alone")
    assert "% of cases (guessing: 50 %)" in psnr
    assert early_steps(run) == 390


def test_too_few_networks_tell_nothing(run: Run) -> None:
    lines = prediction_lines(replace(run, trials=run.trials[:2]))
    assert [line.partition(":")[2][:8] for line in lines] == [" too few", " too few"]
