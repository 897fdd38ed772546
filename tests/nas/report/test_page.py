"""The page of a search says all that it knows, and is complete in itself."""

import json
import re
import sys
from dataclasses import replace

import pytest

from nas.report.page import search_page, write_page
from nas.report.run import Run


def candidates(page: str) -> dict[str, dict]:
    (text,) = re.findall(r'data-dataset="candidates">(.*?)</script>', page)
    return {each["id"]: each for each in json.loads(text)["points"]}


def test_page_fetches_nothing_and_escapes_what_it_shows(run: Run) -> None:
    page = search_page(run)
    assert page.startswith("<!doctype html>")
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    assert not [tag for tag in tags if re.search(r"\b(src|href)=", tag) and '="data:' not in tag]
    assert "python -m nas.search &lt;x&gt;" in page
    assert "<b>" not in "".join(re.findall(r"<script type=.*?</script>", page))


def test_page_says_what_was_asked_and_what_came_out(run: Run) -> None:
    page = search_page(run)
    assert "You asked for the best \N{MULTIPLICATION SIGN}4 super-resolution network that keeps to 100 ms" in page
    at_x2 = search_page(replace(run, settings={**run.settings, "scale": 2}))
    assert "You asked for the best \N{MULTIPLICATION SIGN}2 super-resolution network" in at_x2
    assert "+2.50\N{NO-BREAK SPACE}dB against bicubic" in page
    assert "26.50 dB where bicubic interpolation comes to 24.00" in page
    assert "1 h 00 m from the first candidate to the shipped network" in page
    assert "that keeps to 100 ms (10 frames a second) for a " in page
    assert "<td>&lt;b&gt;</td></tr>" in page
    assert "<td>16 channels</td></tr>" in page
    assert "<td>25.75</td>" in page
    for word in ("Spearman", "Kendall's", "rung "):
        assert word not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_page_shows_every_measured_network_once_with_its_panel(run: Run) -> None:
    shown = candidates(search_page(run))
    assert "#987654321" in shown
    assert "#987654320" not in shown, "a repeat"
    assert shown["#987654321"]["kind"] == "infeasible"
    assert "psnr" not in shown["#987654321"]
    assert "command" not in shown["#987654321"], "there are no weights to export"
    assert shown["#0"]["command"] == f"python -m nas.export {run.folder} --pick 0 --format onnx"
    (chosen,) = (each for each in shown.values() if each["kind"] == "chosen")
    assert chosen["command"].endswith("--pick chosen --format onnx")
    assert chosen["lines"][1].endswith(" dB after 390 training steps")
    assert chosen["lines"][2].startswith("as shipped 26.50 dB on whole pictures in ")
    assert len(shown["#0"]["lines"]) == 2
    assert set(chosen["architecture"]) >= {"num_feat", "blocks", "upsampler"}
    assert {each["name"] for each in shown.values() if each["kind"] == "reference"} == {"rfdn", "ecbsr"}
    assert shown["rfdn"]["command"] == "python -m baselines.train rfdn --num-feat 16"


def test_page_offers_to_export_only_what_kept_its_weights(run: Run) -> None:
    kept = run.folder / "candidates"
    kept.mkdir()
    (kept / f"{run.trained[0].architecture.key}.pth").touch()
    shown = candidates(search_page(run))
    first, second = (shown[f"#{each.number}"] for each in run.trained[:2])
    assert "note" not in first
    assert first["command"].endswith("--pick 0 --format onnx")
    assert "command" not in second
    assert "weights were removed" in second["note"]
    scored = replace(run, trials=tuple(replace(each, rungs=()) for each in run.trials))
    page = search_page(scored)
    assert "weights of one shared network" in candidates(page)["#1"]["note"]
    assert "10 judged with shared weights, 1 over the budget" in page


def test_page_explains_the_kinds_of_blocks_that_won(run: Run) -> None:
    assert "<b>residual_leaky</b>: 3\N{MULTIPLICATION SIGN}3, leaky ReLU" in search_page(run)


def test_page_says_on_how_many_pictures_candidates_were_judged(run: Run) -> None:
    measured = run.trained[0].measurement
    assert measured is not None
    assert measured.quality is not None
    assert f"on the centres of {measured.quality.pictures} validation pictures" in search_page(run)


def test_page_of_a_search_that_goes_on_says_how_it_stands(run: Run) -> None:
    page = search_page(replace(run, ending=None, settings={**run.settings, "phase": "search"}))
    assert "<h1>Searching for" in page
    assert "so far the best of 11 candidates takes" in page
    assert "the chosen one's too" not in page
    begun = replace(run, ending=None, trials=(), settings={**run.settings, "phase": "search"})
    assert "nothing has been measured yet" in search_page(begun)


def test_page_where_nothing_was_within_names_the_fastest(run: Run) -> None:
    page = search_page(replace(run, ending=None, trials=run.trials[-2:-1]))
    assert "<h1>No" in page
    assert "the fastest of 1 candidates takes" in page


def test_page_of_an_older_version_says_what_it_did_not_keep(run: Run) -> None:
    assert run.ending is not None
    page = search_page(replace(run, ending=replace(run.ending, rivals=None, rival_quality={}, ended=None)))
    assert "was not kept by the version that ran this search" in page
    assert "No pictures were kept" in page


def test_written_page_lies_in_the_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where no kaleido is installed: it would start a browser.
    monkeypatch.setitem(sys.modules, "kaleido", None)
    assert not write_page(run)
    assert (run.folder / "pareto.html").read_text(encoding="utf-8") == search_page(run)


def test_page_says_why_another_candidate_stands_above_the_chosen_one(run: Run) -> None:
    words = "Ours was chosen by what longer trainings promised"
    assert run.ending is not None
    assert words not in search_page(run)
    worst = min(run.trained, key=lambda each: each.psnr)
    assert words in search_page(replace(run, ending=replace(run.ending, number=worst.number)))


def test_strip_of_what_has_no_psnr_is_explained_where_there_is_one(run: Run) -> None:
    assert "below the dotted line" in search_page(run)
    trained = tuple(each for each in run.trials if each.state == "trained")
    assert "below the dotted line" not in search_page(replace(run, trials=trained, ending=None))


def test_page_counts_what_never_settled_among_what_was_tried(run: Run) -> None:
    before = search_page(run)
    (tried,) = re.findall(r"(\d+) different networks were tried", before)
    assert "put off" not in re.findall(r"different networks were tried[^.]*", before)[0]
    unsettled = replace(run.trials[-2], number=50, state="put off")
    page = search_page(replace(run, trials=(*run.trials, unsettled)))
    assert f"{int(tried) + 1} different networks were tried" in page
    assert "failed, 1 put off while the device was busy." in page
