"""The verdict says what the figures say, also where pruning lost; the page shows all of it."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune.report import Arm, Layer, page, to_json, verdict
from sr.complexity import Complexity
from sr.errors import InputError
from sr.latency import Conditions, Runtime
from sr.measurement import Measurement
from sr.quality import Quality

LAYERS = (
    Layer("head", 3, 46, 3, 23, 2.0, 1.25),
    Layer("body.0 <a>", 46, 46, 23, 11, 4.0, 1.5),
    Layer("body.1", 46, 46, 0, 0, 4.0, None),
)


def measured(ms: float, psnr: float, *, reliable: bool = True) -> Measurement:
    return Measurement(
        Complexity(1_200_000, 40 * 10**9, 41 * 10**9, 120 * 10**6, 91, 2**27),
        Runtime(ms, 0.9 * ms, 1.2 * ms, 40, reliable, "contiguous"),
        Conditions("device", "driver", "versions", 2, (170, 255), "float32"),
        20.0,
        Quality(psnr, psnr + 1.5, 0.81234, 5),
    )


def arm(name: str, ms: float, psnr: float, layers: Sequence[Layer] = (), *, reliable: bool = True) -> Arm:
    return Arm(name, measured(ms, psnr, reliable=reliable), tuple(layers), 2.5e-7 if layers else None)


DENSE = arm("dense", 300, 28.45)
FINE = arm("fine (pulled)", 141, 28.41, LAYERS)


def duel(ours: tuple[float, float], rival: tuple[float, float]) -> str:
    """Return the line on fine against group, given the runtime and PSNR of both."""
    lines = verdict([DENSE, arm("fine", *ours), arm("group", *rival)])
    assert len(lines) == 3
    return lines[2]


@pytest.mark.parametrize(
    ("ms", "psnr", "line"),
    [
        (141, 28.41, "fine: 2.13 times faster (141 ms against 300 ms), 0.04 dB lost (PSNR 28.41 against 28.45)"),
        (150, 28.47, "fine: 2.00 times faster (150 ms against 300 ms), 0.02 dB gained (PSNR 28.47 against 28.45)"),
        (150, 28.45, "fine: 2.00 times faster (150 ms against 300 ms), no PSNR lost (PSNR 28.45 against 28.45)"),
        (297, 28.4, "fine: 1.01 times faster (297 ms against 300 ms), 0.05 dB lost (PSNR 28.40 against 28.45)"),
        (330, 28.4, "not faster: fine takes 1.10 times as long as dense (330 ms against 300 ms), 0.05 dB lost (PSNR "
                    "28.40 against 28.45)"),
        (300, 28.45, "not faster: fine takes as long as dense (300 ms against 300 ms), no PSNR lost (PSNR 28.45 "
                     "against 28.45)"),
        (301, 28.45, "not faster: fine takes as long as dense (301 ms against 300 ms), no PSNR lost (PSNR 28.45 "
                     "against 28.45)"),
        (299.5, 28.4, "not faster: fine takes as long as dense (300 ms against 300 ms), 0.05 dB lost (PSNR 28.40 "
                      "against 28.45)"),
    ],
)  # fmt: skip
def test_an_arm_against_the_dense_network(ms: float, psnr: float, line: str) -> None:
    assert verdict([DENSE, arm("fine", ms, psnr)]) == [line]


@pytest.mark.parametrize(
    ("ours", "rival", "start"),
    [
        ((100, 28.40), (102, 28.35), "at equal runtime fine is 0.05 dB better than group (100 ms against 102 ms, "),
        ((103, 28.35), (100, 28.40), "at equal runtime fine is 0.05 dB worse than group"),
        ((100, 28.40), (150, 28.41), "at equal PSNR fine is 1.50 times faster than group (100 ms against 150 ms, "),
        ((150, 28.41), (100, 28.40), "at equal PSNR fine is 1.50 times slower than group"),
        ((100, 28.40), (150, 28.30), "fine dominates group: 1.50 times faster and 0.10 dB better ("),
        ((150, 28.30), (100, 28.40), "fine is dominated by group: 1.50 times slower and 0.10 dB worse ("),
        ((100, 28.30), (150, 28.40), "fine and group: neither dominates, fine is 1.50 times faster but 0.10 dB worse"),
        ((150, 28.40), (100, 28.30), "fine and group: neither dominates, fine is 1.50 times slower but 0.10 dB better"),
        ((100, 28.40), (103, 28.41), "fine and group: neither is ahead, equal in runtime and PSNR (100 ms against "),
        ((100, 28.40), (100, 28.40), "fine and group: neither is ahead"),
    ],
)
def test_ours_against_another_way(ours: tuple[float, float], rival: tuple[float, float], start: str) -> None:
    line = duel(ours, rival)
    assert line.startswith(start)
    assert line.endswith(f"PSNR {ours[1]:.2f} against {rival[1]:.2f})")


def test_equal_ends_where_the_margins_end() -> None:
    assert "at equal runtime" in duel((100, 28.40), (103, 28.30))
    assert "dominates" in duel((100, 28.40), (103.2, 28.30))
    assert "at equal PSNR" in duel((100, 28.41), (150, 28.40))
    assert "dominates" in duel((100, 28.412), (150, 28.40))


OPPOSITES = {
    "faster": "slower",
    "slower": "faster",
    "better": "worse",
    "worse": "better",
    "dominates": "is dominated by",
    "is dominated by": "dominates",
}
WORDS = re.compile(r"is dominated by|neither \w+|at equal \w+|dominates|faster|slower|better|worse")


@given(st.floats(50, 500), st.floats(50, 500), st.floats(27, 29), st.floats(27, 29))
def test_a_verdict_seen_from_the_other_side_is_its_opposite(
    ms: float, other_ms: float, psnr: float, other: float
) -> None:
    seen = WORDS.findall(duel((ms, psnr), (other_ms, other)))
    mirrored = WORDS.findall(duel((other_ms, other), (ms, psnr)))
    assert seen
    assert [OPPOSITES.get(word, word) for word in seen] == mirrored


def test_each_of_our_modes_meets_each_other_way_and_losing_is_told() -> None:
    arms = [DENSE, FINE, arm("fine (free)", 320, 28.0), arm("group", 143, 28.36), arm("magnitude", 90, 28.44)]
    lines = verdict(arms)
    assert [line.split(":")[0] for line in lines[:4]] == ["fine (pulled)", "not faster", "group", "magnitude"]
    assert lines[4].startswith("at equal runtime fine (pulled) is 0.05 dB better than group")
    assert lines[5].startswith("fine (pulled) is dominated by magnitude: 1.57 times slower and 0.03 dB worse")
    assert lines[6].startswith("fine (free) is dominated by group")
    assert lines[7].startswith("fine (free) is dominated by magnitude")
    assert len(lines) == 8


def test_a_wide_spread_is_told() -> None:
    line = verdict([DENSE, FINE, arm("group", 200, 28.0, reliable=False)])[-1]
    assert line.startswith("not steady: the runtimes of group (180 to 240 ms) spread widely")
    assert not any("not steady" in line for line in verdict([DENSE, FINE]))


def test_a_report_takes_one_dense_arm_and_a_psnr_of_each() -> None:
    with pytest.raises(InputError, match=r"exactly one arm called 'dense', got \['fine \(pulled\)'\]"):
        verdict([FINE])
    with pytest.raises(InputError, match="exactly one arm"):
        to_json([DENSE, DENSE, FINE])
    bare = replace(FINE, measurement=replace(FINE.measurement, quality=None))
    with pytest.raises(InputError, match=r"finite PSNR, 'fine \(pulled\)' has none"):
        page([DENSE, bare], title="t", command="c", notes=[])
    with pytest.raises(InputError, match=r"finite PSNR, 'group' has nan"):
        verdict([DENSE, arm("group", 100, float("nan"))])


@pytest.fixture(scope="module")
def html_page() -> str:
    untimed = [replace(layer, dense_ms=None, ms=None) for layer in LAYERS[:2]]
    arms = [DENSE, FINE, arm("group & co", 143, 28.36, untimed, reliable=False)]
    rivals = {"RFDN": measured(400, 28.3), "untrained": replace(measured(200, 1.0), quality=None)}
    return page(arms, title="HCSRN <pruned>", command="python -m prune.run <a>", notes=["a <note>"], rivals=rivals)


def rows(text: str) -> list[list[str]]:
    lines = re.findall(r"<tr class=\"\w*\">(.*?)</tr>", text)
    return [re.findall(r"<td>(.*?)</td>", line) for line in lines]


def test_page_is_self_contained_and_escapes_what_it_shows(html_page: str) -> None:
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", html_page)
    assert tags
    assert not [tag for tag in tags if re.search(r"\b(src|href)=", tag)], "nothing is fetched"
    assert html_page.count('class="plotly-graph-div"') == 3
    assert "<h1>HCSRN &lt;pruned&gt;</h1>" in html_page
    assert "<code>python -m prune.run &lt;a&gt;</code>" in html_page
    assert "<p>a &lt;note&gt;</p>" in html_page
    assert "<p>fine (pulled): 2.13 times faster (141 ms against 300 ms)" in html_page
    assert "255x170 picture in float32" in html_page


def test_page_tables_hold_every_figure(html_page: str) -> None:
    lines = rows(html_page)
    assert len(lines) == 10
    assert lines[1] == ["fine (pulled)", "141", "127 to 169", "2.13", "28.41", "29.91", "0.8123", "2.5e-07"]
    assert lines[2][:4] == ["group &amp; co", "143 ?", "129 to 172", "2.10"]
    assert lines[4] == ["untrained", "200", "180 to 240", "1.50", "-", "-", "-", ""]
    assert lines[6] == ["fine (pulled)", "1,200", "40.0", "120", "91", "128", ""]


def test_page_without_layers_shows_what_there_is() -> None:
    text = page([DENSE, replace(FINE, layers=())], title="t", command="c", notes=[])
    assert text.count('class="plotly-graph-div"') == 1
    untimed = [replace(layer, dense_ms=None, ms=None) for layer in LAYERS]
    text = page([DENSE, replace(FINE, layers=tuple(untimed))], title="t", command="c", notes=[])
    assert "Channels kept" in text
    assert "Runtime of the layers" not in text


def test_json_holds_what_the_arms_are_made_of() -> None:
    arms = [DENSE, FINE]
    values = json.loads(json.dumps(to_json(arms), allow_nan=False))
    assert values["verdict"] == verdict(arms)
    assert values["arms"][1]["speed_up"] == pytest.approx(300 / 141)
    assert values["arms"][1]["psnr_lost"] == pytest.approx(0.04)
    again = [
        Arm(
            each["name"],
            Measurement.from_json(each["measurement"]),
            tuple(Layer(**layer) for layer in each["layers"]),
            each["difference"],
        )
        for each in values["arms"]
    ]
    assert again == arms
