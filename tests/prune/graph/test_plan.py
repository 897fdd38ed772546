"""What a plan may say, and that JSON gives it back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prune.graph.plan import CHANNEL_ACCESSES, Execution, Kept, Plan

names = st.text("abc.12", min_size=1, max_size=6)
channels = st.sets(st.integers(0, 40), max_size=8).map(lambda chosen: tuple(sorted(chosen)))
accesses = st.sampled_from(CHANNEL_ACCESSES)
plans = st.builds(
    Plan,
    st.dictionaries(names, st.builds(Kept, channels, channels), max_size=4),
    st.dictionaries(names, st.builds(Execution, accesses, accesses), max_size=4),
    st.dictionaries(names, st.permutations(range(5)).map(tuple), max_size=3),
)


@settings(deadline=None, max_examples=60)
@given(plans)
def test_json_gives_the_plan_back(plan):
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("channels", [(1, 0), (0, 0), (2, 2, 3), (-1, 0)])
@pytest.mark.parametrize("side", [0, 1])
def test_kept_channels_ascend_from_0(channels, side):
    with pytest.raises(ValueError, match="ascending and at least 0"):
        Kept(*(((0,), channels), (channels, (0,)))[side])


@pytest.mark.parametrize("accesses", [("scatter", "fold"), ("slice", "")])
def test_a_channel_access_is_one_of_three(accesses):
    with pytest.raises(ValueError, match="gather, slice, fold, got"):
        Execution(*accesses)


def test_a_convolution_slices_where_nothing_is_said():
    assert Execution() == Execution("slice", "slice")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kept": {}, "execution": {}},
        {"kept": {"head": [[0, 1]]}, "execution": {}, "orders": {}},
        {"kept": {"head": [[1, 0], [0]]}, "execution": {}, "orders": {}},
        {"kept": {"head": 3}, "execution": {}, "orders": {}},
        {"kept": {}, "execution": {"head": ["all", "all"]}, "orders": {}},
    ],
)
def test_what_is_no_plan_is_refused(content):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Plan.from_json(content)


def test_a_side_is_named():
    kept = Kept((0, 1), (2,))
    assert (kept.on("inputs"), kept.on("outputs")) == ((0, 1), (2,))
