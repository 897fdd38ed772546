"""The best of a family is chosen by short trainings, which are done once."""

import json

from baselines.league.entries import of_size
from baselines.league.setup import Setup
from baselines.league.shapes import best_shapes
from sr.progress import Event, Message

OTHER = "bicubic_pp"


def test_the_best_shape_is_that_of_the_best_short_training_and_is_chosen_again_without_one(setup: Setup) -> None:
    shapes = {
        "ecbsr": [of_size("ecbsr", {"num_feat": width, "num_block": 1}) for width in (12, 8)],
        OTHER: [of_size(OTHER, {"num_feat": 8, "num_block": 1})],
    }
    events: list[Event] = []
    chosen = best_shapes(shapes, setup, report=events.append)
    kept = [json.loads(path.read_text()) for path in (setup.folder / "rates").iterdir()]
    reached = {each["title"]: each["psnr"] for each in kept}
    assert set(reached) == {each.title for each in shapes["ecbsr"]}
    assert [each.title for each in chosen] == [max(reached, key=reached.__getitem__), shapes[OTHER][0].title]
    announced, line = [str(event) for event in events if isinstance(event, Message)]
    assert announced.startswith("2 short trainings at a rate of 0.003 to choose shapes by, about ")
    assert line.startswith(f"ECBSR: {chosen[0].title} of ")
    events.clear()
    assert best_shapes(shapes, setup, report=events.append) == chosen
    assert [str(event) for event in events] == [line]


def test_a_shape_that_the_rate_is_too_high_for_is_tried_at_a_lower_one_once(setup: Setup) -> None:
    large, small = (of_size("ecbsr", {"num_feat": width, "num_block": 1}) for width in (12, 8))
    best_shapes({"ecbsr": [large, small]}, setup)
    kept = {path: json.loads(path.read_text()) for path in (setup.folder / "rates").iterdir()}
    assert sorted(each["title"] for each in kept.values()) == sorted([large.title, small.title])
    path = next(path for path, each in kept.items() if each["title"] == large.title)
    of_small = next(each["psnr"] for each in kept.values() if each["title"] == small.title)
    for collapsed, announced in ((3.0, ["1 short training at a rate of 0.001 to choose shapes by, "]), (None, [])):
        path.write_text(json.dumps({"title": large.title, "psnr": collapsed}))
        events: list[Event] = []
        (chosen,) = best_shapes({"ecbsr": [large, small]}, setup, report=events.append)
        (new,) = [each for each in (setup.folder / "rates").iterdir() if each not in kept]
        reached = {large.title: json.loads(new.read_text())["psnr"], small.title: of_small}
        assert chosen.title == max(reached, key=reached.__getitem__)
        *before, line = [str(event) for event in events if isinstance(event, Message)]
        assert [each.startswith(start) for each, start in zip(before, announced, strict=True)] == [True] * len(
            announced
        )
        assert f"{large.title} {reached[large.title]:.2f} dB" in line
