"""The page and the JSON values show all that the outcomes hold."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from prune.outcomes import Layer, Outcome
from prune.report import page, to_json
from prune.verdict import verdict
from sr.errors import InputError
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions

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


def outcome(name: str, ms: float, psnr: float, layers: Sequence[Layer] = (), *, reliable: bool = True) -> Outcome:
    return Outcome(name, measured(ms, psnr, reliable=reliable), tuple(layers), 2.5e-7 if layers else None)


DENSE = outcome("dense", 300, 28.45)
OURS = outcome("per-layer (blended)", 141, 28.41, LAYERS)


def test_a_report_takes_one_dense_outcome_and_a_psnr_of_each() -> None:
    with pytest.raises(InputError, match=r"exactly one outcome called 'dense', got \['per-layer \(blended\)'\]"):
        verdict([OURS])
    with pytest.raises(InputError, match="exactly one outcome"):
        to_json([DENSE, DENSE, OURS])
    bare = replace(OURS, measurement=replace(OURS.measurement, quality=None))
    with pytest.raises(InputError, match=r"finite PSNR, 'per-layer \(blended\)' has none"):
        page([DENSE, bare], title="t", command="c", notes=[])
    with pytest.raises(InputError, match=r"finite PSNR, 'group' has nan"):
        verdict([DENSE, outcome("group", 100, float("nan"))])


@pytest.fixture(scope="module")
def html_page() -> str:
    untimed = [replace(layer, dense_ms=None, ms=None) for layer in LAYERS[:2]]
    outcomes = [DENSE, OURS, outcome("group & co", 143, 28.36, untimed, reliable=False)]
    rivals = {"RFDN": measured(400, 28.3), "untrained": replace(measured(200, 1.0), quality=None)}
    return page(outcomes, title="HCSRN <pruned>", command="python -m prune.run <a>", notes=["a <note>"], rivals=rivals)


def rows(text: str) -> list[list[str]]:
    lines = re.findall(r"<tr class=\"\w*\">(.*?)</tr>", text)
    return [re.findall(r"<td>(.*?)</td>", line) for line in lines]


def test_page_is_self_contained_and_escapes_what_it_shows(html_page: str) -> None:
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", html_page)
    assert tags
    fetched = [tag for tag in tags if re.search(r"\b(src|href)=", tag) and '="data:' not in tag]
    assert not fetched, "nothing is fetched"
    assert html_page.count('<figure class="chart">') == 1
    assert "11/46" in html_page
    assert "4.00 ms before, gone" in html_page
    assert "<h1>HCSRN &lt;pruned&gt;: 2.13 times as fast, -0.04\N{NO-BREAK SPACE}dB</h1>" in html_page
    assert (
        "The network before takes 300 ms for a 255x170 picture and comes to 28.45 dB on the validation pictures; the "
        "pruned one takes 141 ms, nine runs of ten within 169, and comes to 28.41 dB." in html_page
    )
    assert "<code>python -m prune.run &lt;a&gt;</code>" in html_page
    assert "<p>a &lt;note&gt;</p>" in html_page
    assert "<li>per-layer (blended): 2.13 times faster (141 ms against 300 ms)" in html_page
    assert "<b>141 ms</b><span>runtime; 300 before</span>" in html_page
    assert "<li>per-layer: our own method" in html_page
    assert "<li>magnitude: " not in html_page, "it was not compared"
    assert "255x170 picture in torch, float32" in html_page


def test_page_tables_hold_every_figure(html_page: str) -> None:
    lines = rows(html_page)
    assert len(lines) == 10
    assert lines[1] == ["per-layer (blended)", "141", "127 to 169", "2.13", "28.41", "29.91", "0.8123", "2.5e-07"]
    assert lines[2][:4] == ["group &amp; co", "143 ?", "129 to 172", "2.10"]
    assert lines[4] == ["untrained", "200", "180 to 240", "1.50", "-", "-", "-", ""]
    assert lines[6] == ["per-layer (blended)", "1,200", "40.0", "120", "91", "128", ""]


def test_page_without_layers_shows_what_there_is() -> None:
    text = page([DENSE, replace(OURS, layers=())], title="t", command="c", notes=[])
    assert text.count('<figure class="chart">') == 1
    assert "Channels kept" not in text
    untimed = [replace(layer, dense_ms=None, ms=None) for layer in LAYERS]
    text = page([DENSE, replace(OURS, layers=tuple(untimed))], title="t", command="c", notes=[])
    assert "Channels kept" in text
    assert "Runtime of the layers" not in text


def test_page_of_a_pruning_that_gained_nothing_says_so() -> None:
    text = page([DENSE, outcome("group", 310, 28.5)], title="RFDN", command="c", notes=[])
    assert "<h1>RFDN: no faster, +0.05\N{NO-BREAK SPACE}dB</h1>" in text
    text = page([DENSE, outcome("group", 150, 28.449)], title="RFDN", command="c", notes=[])
    assert "<h1>RFDN: 2.00 times as fast, no PSNR lost</h1>" in text


def test_page_says_how_each_network_is_exported_whose_checkpoint_is_known() -> None:
    paths = {OURS.name: Path("runs/a b/per-layer/network.pth")}
    text = page([DENSE, OURS], title="t", command="c", notes=[], paths=paths)
    (networks,) = re.findall(r'data-dataset="networks">(.*?)</script>', text)
    commands = {each["id"]: each.get("command") for each in json.loads(networks)["points"]}
    command = "python -m sr.export 'runs/a b/per-layer/network.pth' --format onnx"
    assert commands == {"dense": None, OURS.name: command}
    assert f'data-copy="{html.escape(command)}"' in text


def test_json_holds_what_the_outcomes_are_made_of() -> None:
    outcomes = [DENSE, OURS]
    values = json.loads(json.dumps(to_json(outcomes), allow_nan=False))
    assert values["verdict"] == verdict(outcomes)
    assert values["outcomes"][1]["speed_up"] == pytest.approx(300 / 141)
    assert values["outcomes"][1]["psnr_lost"] == pytest.approx(0.04)
    again = [
        Outcome(
            each["name"],
            Measurement.from_json(each["measurement"]),
            tuple(Layer(**layer) for layer in each["layers"]),
            each["difference"],
        )
        for each in values["outcomes"]
    ]
    assert again == outcomes
