"""What the command line may ask for."""

from pathlib import Path

import pytest

from prune.config import PruneConfig
from prune.flags import parse
from sr.errors import InputError


def config_of(*flags: str) -> PruneConfig:
    return parse(["net.pth", *flags]).config


def test_where_nothing_is_said_all_is_as_in_the_config() -> None:
    asked = parse(["net.pth"])
    assert asked.config == PruneConfig()
    assert (asked.checkpoint, asked.json) == (Path("net.pth"), None)


def test_a_dry_run_is_no_part_of_what_is_pruned() -> None:
    asked = parse(["net.pth", "--dry-run"])
    assert (asked.config, asked.dry_run) == (PruneConfig(), True)


def test_one_number_is_for_all_targets() -> None:
    limits = config_of("--target", "params,multi_adds", "--ratio", "0.3").limits
    assert limits == {"params": ("ratio", 0.3), "multi_adds": ("ratio", 0.3)}


def test_a_number_per_target() -> None:
    limits = config_of("--target", "params,activations", "--budget", "353000,302.3e6").limits
    assert limits == {"params": ("budget", 353000), "activations": ("budget", 302.3e6)}


def test_a_budget_in_milliseconds_is_one_of_the_runtime() -> None:
    assert config_of("--budget-ms", "40").limits == {"runtime": ("budget", 40)}


def test_names_between_commas_are_taken_once() -> None:
    config = config_of("--methods", "group,per-layer,group", "--channel-order", "shared,blended")
    assert config.methods == ("group", "per-layer")
    assert config.channel_orders == ("shared", "blended")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("15m", 900.0), ("8h", 28800.0), ("none", None)])
def test_a_time_limit_is_a_duration_or_none(text: str, seconds: float | None) -> None:
    assert config_of("--time-limit", text).time_limit == seconds


def test_a_size_is_width_by_height() -> None:
    assert config_of("--lr-size", "480x270").lr_size == (270, 480)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--ratio", "half"], "--ratio must be numbers between commas, got 'half'"),
        (["--budget", "1,two"], "--budget must be numbers between commas"),
        (["--budget-ms", "40", "--target", "params"], "--budget-ms stands for --target runtime"),
        (["--budget-ms", "40", "--budget", "40"], "--budget-ms stands for --target runtime"),
        (["--budget-ms", "3", "--ratio", "0.5"], "exclude each other"),
        (["--budget-ms", "inf"], "over 0"),
        (["--ratio", "1"], "--ratio takes one number per target, over 0 and under 1"),
        (["--channel-order", "sorted"], "of independent, blended, shared; got sorted"),
        (["--methods", "ours"], "of per-layer, group, magnitude; got ours"),
        (["--rounds", "0"], "--rounds must be over 0"),
        (["--time-limit", "soon"], "--time-limit is a duration over zero such as 90s, 10m or 1.5h, got 'soon'"),
        (["--lr-size", "24"], "LR size"),
        (["--nosuch"], "unrecognized arguments"),
    ],
)
def test_a_value_outside_its_constraint_is_refused_in_one_line(flags: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        parse(["net.pth", *flags])
    assert "\n" not in str(caught.value)
