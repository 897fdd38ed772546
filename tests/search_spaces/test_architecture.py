"""The constraints on a description, its JSON and its key."""

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.architecture import AGGREGATIONS, CHOICES, IMAGE_SKIPS, NORMS, UPSAMPLERS, Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.network import build
from sr.deployment import deploy
from sr.scale import SCALES

SMALL = Architecture(16, (Block("residual_relu"),) * 4 + (Block("identity"), Block("branched_conv")))
SANDWICH = (Block("idle"), Block("inverted_x3"), Block("idle"))
SMALL_KEY = "24c052f081f552ae"

blocks = st.lists(st.sampled_from(sorted(BLOCKS)).map(Block), min_size=1, max_size=32).map(tuple)
architectures = st.builds(
    Architecture,
    num_feat=st.sampled_from(range(8, 65, 4)),
    blocks=blocks,
    upsampler=st.sampled_from(UPSAMPLERS),
    image_skip=st.sampled_from(IMAGE_SKIPS),
    aggregation=st.sampled_from(AGGREGATIONS),
    norm=st.sampled_from(NORMS),
    scale=st.sampled_from(SCALES),
)


@pytest.mark.parametrize("num_feat", [4, 7, 10, 68, 0, -8, 16.0, "16", None, True])
def test_width_is_a_multiple_of_4_from_8_to_64(num_feat: Any) -> None:
    with pytest.raises(ValueError, match=r"num_feat is a multiple of 4 from 8 to 64, got ") as raised:
        Architecture(num_feat, (Block("identity"),))
    assert str(raised.value).endswith(repr(num_feat))


@pytest.mark.parametrize("positions", [0, 33])
def test_positions_are_1_to_32(positions: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 32 positions, got {positions}$"):
        Architecture(16, (Block("identity"),) * positions)


@pytest.mark.parametrize("positions", [1, 32])
@pytest.mark.parametrize("num_feat", [8, 64])
def test_the_ends_of_the_constraints_are_allowed(num_feat: int, positions: int) -> None:
    architecture = Architecture(num_feat, (Block("idle"),) * positions)
    assert (architecture.num_feat, len(architecture.blocks)) == (num_feat, positions)


@pytest.mark.parametrize("kind", ["conv", "", "Residual_relu", None, ["idle"]])
def test_a_kind_is_one_of_blocks(kind: Any) -> None:
    with pytest.raises(ValueError, match="a block's kind is one of residual_relu, ") as raised:
        Block(kind)
    assert str(raised.value).endswith(repr(kind))


@pytest.mark.parametrize("field", sorted(CHOICES))
def test_each_choice_names_its_constraint_and_the_value(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} is one of {', '.join(CHOICES[field])}, got 'nonsense'$"):
        Architecture(16, (Block("idle"),), **{field: "nonsense"})


@pytest.mark.parametrize("scale", [0, 1, 5, 8, -2, 2.0, "2", None, True])
def test_a_scale_is_one_of_scales(scale: Any) -> None:
    with pytest.raises(ValueError, match=r"^scale is one of 2, 3, 4, got ") as raised:
        replace(SMALL, scale=scale)
    assert str(raised.value).endswith(repr(scale))


def test_values_are_frozen_and_hashable() -> None:
    with pytest.raises(FrozenInstanceError):
        SMALL.num_feat = 8  # type: ignore[misc]
    assert len({SMALL, replace(SMALL), replace(SMALL, num_feat=8)}) == 2


@given(architectures)
def test_json_round_trip(architecture: Architecture) -> None:
    text = json.dumps(architecture.to_json(), allow_nan=False)
    again = Architecture.from_json(json.loads(text))
    assert again == architecture
    assert again.key == architecture.key


def test_json_is_plain_and_readable() -> None:
    assert Architecture(8, (Block("idle"), Block("identity")), norm="batch").to_json() == {
        "num_feat": 8,
        "blocks": ["idle", "identity"],
        "upsampler": "one_step",
        "image_skip": "nearest",
        "aggregation": "none",
        "norm": "batch",
    }


def test_json_names_the_scale_where_it_is_not_4() -> None:
    values = SMALL.to_json()
    assert Architecture.from_json(values).scale == 4
    assert Architecture.from_json(values | {"scale": 4}) == SMALL
    for scale in (2, 3):
        assert replace(SMALL, scale=scale).to_json() == values | {"scale": scale}


@pytest.mark.parametrize("field", sorted(SMALL.to_json()))
def test_json_without_a_field_is_refused(field: str) -> None:
    values = SMALL.to_json()
    del values[field]
    with pytest.raises(ValueError, match="an architecture has the fields"):
        Architecture.from_json(values)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": 3},
        {"blocks": 5},
        {"blocks": "idle"},
        {"blocks": [["idle"]]},
        {"blocks": []},
        {"num_feat": "16"},
        {"scale": 5},
    ],
)
def test_json_that_breaks_a_constraint_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got "):
        Architecture.from_json(SMALL.to_json() | change)


def test_key_is_pinned() -> None:
    # Records on disk refer to networks by this: it may not change between versions.
    assert SMALL.key == SMALL_KEY


@given(architectures, st.data())
def test_empty_positions_do_not_tell_apart(architecture: Architecture, data: st.DataObject) -> None:
    kept = list(architecture.canonical.blocks)
    for _ in range(data.draw(st.integers(0, 32 - len(kept)))):
        kept.insert(data.draw(st.integers(0, len(kept))), Block("identity"))
    padded = replace(architecture, blocks=tuple(kept))
    assert padded.key == architecture.key
    assert padded.canonical == architecture.canonical
    assert padded.summary == architecture.summary


@given(architectures)
def test_canonical_has_no_empty_position_unless_nothing_is_left(architecture: Architecture) -> None:
    kinds = [block.kind for block in architecture.canonical.blocks]
    assert kinds == [block.kind for block in architecture.blocks if block.kind != "identity"] or kinds == ["identity"]
    assert architecture.canonical.canonical == architecture.canonical


@given(architectures, architectures)
def test_key_is_equal_exactly_for_equal_networks(left: Architecture, right: Architecture) -> None:
    assert (left.key == right.key) == (left.canonical == right.canonical)


@pytest.mark.parametrize(
    "change",
    [
        {"num_feat": 20},
        {"blocks": SMALL.blocks[1:]},
        {"blocks": SMALL.blocks[::-1]},
        {"upsampler": "two_step"},
        {"image_skip": "none"},
        {"aggregation": "concat"},
        {"norm": "batch"},
        {"scale": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_changes_the_key(change: dict[str, Any]) -> None:
    assert replace(SMALL, **change).key != SMALL.key


@pytest.mark.parametrize(
    ("architecture", "summary"),
    [
        (SMALL, "16ch 4x residual_relu + 1x branched_conv, one_step, nearest skip"),
        (Architecture(8, (Block("identity"),) * 3, image_skip="none"), "8ch 1x identity, one_step"),
        (
            Architecture(64, SANDWICH, "two_step", "bicubic", "concat", "batch"),
            "64ch 1x idle + 1x inverted_x3 + 1x idle, two_step, bicubic skip, concat, batch norm",
        ),
        (Architecture(8, (Block("idle"),), scale=2), "x2 8ch 1x idle, one_step, nearest skip"),
    ],
    ids=["mixed", "empty", "everything", "scale"],
)
def test_summary(architecture: Architecture, summary: str) -> None:
    assert architecture.summary == summary


def test_what_trains_better_is_the_same_network_on_a_device() -> None:
    mixed = Architecture(16, tuple(map(Block, ("residual_leaky", "identity", "idle", "branched_conv"))))
    better = mixed.trained_better
    assert better is not None
    assert [block.kind for block in better.blocks] == ["symmetric_residual", "idle", "wide_conv"]
    assert better.trained_better is None
    skips = {skip: replace(mixed, image_skip=skip).trained_better for skip in IMAGE_SKIPS}
    assert {skip for skip in IMAGE_SKIPS if skips[skip] == replace(better, image_skip="learned")} == {
        "bilinear",
        "learned",
    }
    assert replace(better, image_skip="bilinear", upsampler="two_step").trained_better is None
    shapes = [[tuple(each.shape) for each in deploy(build(one)).state_dict().values()] for one in (mixed, better)]
    assert shapes[0] == shapes[1]
    assert Architecture(16, (Block("residual_leaky"),), norm="batch").trained_better is None
