"""What the command line may ask for."""

import pytest

from prune.flags import parse
from sr.errors import InputError


def limits(*flags):
    return parse(["net.pth", *flags]).limits


def test_half_of_the_runtime_where_nothing_is_said():
    assert limits() == {"runtime": ("ratio", 0.5)}


def test_one_number_is_for_all_targets():
    assert limits("--target", "params,multi_adds", "--ratio", "0.3") == {
        "params": ("ratio", 0.3),
        "multi_adds": ("ratio", 0.3),
    }


def test_a_number_per_target():
    asked = limits("--target", "params,activations", "--budget", "353000,302.3e6")
    assert asked == {"params": ("budget", 353000), "activations": ("budget", 302.3e6)}


def test_a_budget_in_milliseconds_is_one_of_the_runtime():
    assert limits("--budget-ms", "40") == {"runtime": ("budget", 40)}


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--ratio", "1"], "--ratio takes one number per target, over 0 and under 1"),
        (["--ratio", "nan"], "--ratio takes one number per target"),
        (["--ratio", "0.3,0.4"], "--ratio takes one number per target"),
        (["--budget", "0"], "--budget takes one number per target, over 0"),
        (["--ratio", "half"], "--ratio must be numbers between commas"),
        (["--budget-ms", "40", "--target", "params"], "--budget-ms stands for --target runtime"),
        (["--ratio", "0.5", "--psnr-floor", "28"], "exclude each other"),
        (["--target", "flops"], "--target is of params, multi_adds, activations, runtime"),
        (["--mode", "sorted"], "--mode is of free, pulled, nested"),
        (["--arms", "ours"], "--arms is of fine, group, magnitude"),
        (["--rounds", "0"], "--rounds must be over 0"),
        (["--fine-tune-steps", "-1"], "--fine-tune-steps must be at least 0"),
        (["--distillation", "1.5"], "--distillation must be within 0 and 1"),
        (["--psnr-floor", "inf"], "--psnr-floor must be a number of dB"),
    ],
)
def test_a_value_outside_its_law_is_refused_in_one_line(flags, why):
    with pytest.raises(InputError, match=why) as caught:
        parse(["net.pth", *flags])
    assert "\n" not in str(caught.value)
