"""What is written of leagues, and that what is committed is made of the committed leagues."""

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from baselines.league.archive import Archive, read_archive
from baselines.league.standings import Standings
from baselines.league.write_up import readme_table, results_page, with_tables, written
from sr.errors import InputError
from sr.files import write_json
from sr.report.label_layout import CHARACTER

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "benchmarks" / "results"
FILES = sorted(RESULTS.glob("league-*.json"))


def test_page_and_plots_and_readme_are_those_of_the_committed_leagues() -> None:
    made = written(FILES, RESULTS / "league.md", ROOT / "docs", ROOT / "README.md")
    for path, text in made.items():
        told = f"python benchmarks/league_results.py makes {path.relative_to(ROOT)} anew"
        assert path.read_text(encoding="utf-8") == text, told
    assert set((ROOT / "docs").glob("league-*.svg")) == {path for path in made if path.suffix == ".svg"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_committed_league_names_no_folder_of_a_machine(path: Path) -> None:
    assert not re.search(r"(^|[\s=,])/", read_archive(path).command)


@pytest.mark.parametrize("path", [path for path in FILES if "openvino" in path.name], ids=lambda path: path.name)
def test_best_by_hand_is_named_right_beside_its_marker(path: Path) -> None:
    standings = read_archive(path).standings
    by_hand = [each for each in standings.ranked(standings.main_length) if each.kind == "hand-designed"]
    names = [each.name for each in by_hand if standings.within(each)]
    svg = ElementTree.fromstring((ROOT / "docs" / f"{path.stem}.svg").read_text(encoding="utf-8"))
    (text,) = [each for each in svg.iter("{http://www.w3.org/2000/svg}text") if each.text == names[0]]
    # The tops of the diamonds; the first stands in the legend.
    polygons = [each.get("points", "").split() for each in svg.iter("{http://www.w3.org/2000/svg}polygon")]
    _, *tops = [tuple(map(float, corners[0].split(","))) for corners in polygons if len(corners) == 4]
    x, y = float(text.get("x", "nan")), float(text.get("y", "nan"))
    gaps = {top: math.hypot(max(0, abs(top[0] - x) - CHARACTER * len(names[0]) / 2), top[1] - y) for top in tops}
    # The best one's marker is the highest, but for those of slower ones: what is over the budget is drawn too.
    highest = sorted(tops, key=lambda top: top[1])[: 1 + len(by_hand) - len(names)]
    assert min(gaps[top] for top in highest) < 25


def in_another_engine(archive: Archive, engine: str, times: float) -> Archive:
    """Return a league of the same networks in an engine in which they take so many times as long."""
    changed = []
    for each in archive.standings.standings:
        runtime, place = each.measurement.runtime, replace(each.measurement.conditions, engine=engine)
        slower = replace(runtime, median_ms=times * runtime.median_ms, p90_ms=times * runtime.p90_ms)
        changed.append(replace(each, measurement=replace(each.measurement, runtime=slower, conditions=place)))
    return replace(archive, standings=replace(archive.standings, standings=tuple(changed)))


def test_page_says_words_first_then_each_league_with_its_origin(archive: Archive) -> None:
    page = results_page({"league-40ms.json": archive}, "What *people* say.\n")
    parts = [
        "# Networks of one runtime budget, trained alike", "What *people* say.", "## Networks within 40 ms in torch",
        "](league-40ms.svg)", "a device, 2 threads, torch, float32, LR 256x256",
        "### 100 steps, within 40 ms in torch", "- On Set14 after 100 steps ECBSR 16 is the best designed by hand",
        "| network | from |", "| span 28 |",
        "2026-11-26, PyTorch 2.13.0 and Python 3.11.7, 400 pictures to train on. The steps of 7 trainings "
        "(on a GPU, PyTorch 2.12.1) took 7 s, one after another",
        "of 0.001, 0.003, by trainings of 1/4 of the steps, which takes 0.5 times as long as one of its trainings",
        "(../benchmarks/results/league-40ms.json)",
        "`python benchmarks/league.py --budget-ms 40 --val Set14`", "## What predicts runtime",
        "| [40 ms](../benchmarks/results/league-40ms.json) | torch | a device | 4 | 1 | 1.00 | 1.00 | -1.00 |",
    ]  # fmt: skip
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


def test_networks_that_were_measured_in_another_engine_too_have_one_section_and_a_row_each(archive: Archive) -> None:
    archives = {"league-a-torch.json": in_another_engine(archive, "onnxruntime", 2.0), "league-b.json": archive}
    page = results_page(archives, "")
    assert page.count("\n## Networks within") == 1
    assert "](league-b.svg)" in page
    assert "| onnxruntime | a device | 4 |" in page
    assert "| torch | a device | 4 |" in page


def test_page_without_leagues_says_so_behind_the_words() -> None:
    assert results_page({}, "Words.").endswith("\n\nWords.\n\nNo league has been kept yet.\n")


def test_readme_has_those_within_the_budget_and_longer_trainings_beside_them(standings: Standings) -> None:
    bicubic = dict.fromkeys(("Set5", "Set14"), standings.bicubic["Set14"])
    two = replace(standings, val=("Set5", "Set14"), bicubic=bicubic)
    head, rule, *lines = readme_table(two).splitlines()
    assert head == "| network | from | runtime, p90 (ms) | Set14 RGB (dB) | Set14 Y (dB) | seeds |"
    assert rule.count("---") == 6
    assert [line.split(" | ")[0] for line in lines] == [
        "| searched <a>", "| ECBSR 16", "| pruned p", "| bicubic interpolation",
    ]  # fmt: skip
    assert lines[1].startswith("| ECBSR 16 | hand-designed | 35.0, 38.5 | 25.55 \N{PLUS-MINUS SIGN} 0.07 |")
    assert lines[2].endswith("| 25.40 | 27.40 | 1 |")
    # One of them was trained for longer, which is no table of its own.
    first, *others = two.standings
    longer = replace(first, results=(*first.results, replace(first.results[0], steps=400)))
    head, _, *lines = readme_table(replace(two, standings=(longer, *others))).splitlines()
    assert head.endswith("| seeds | RGB / Y after 400 steps |")
    assert lines[1].endswith("| 2 | 25.50 / 27.50 |")
    assert lines[2].endswith("| 1 |  |")


def test_tables_between_marks_are_made_anew_and_all_else_stays(archive: Archive) -> None:
    marks = "<!-- table of league-40ms.json -->\nold\n<!-- end of the table -->"
    other = "<!-- table of another.json -->\nkept\n<!-- end of the table -->"
    text = with_tables(f"before\n\n{marks}\n\n{other}\nafter\n", {"league-40ms.json": archive})
    assert text == (
        f"before\n\n<!-- table of league-40ms.json -->\n{readme_table(archive.standings)}\n<!-- end of the table -->"
        f"\n\n{other}\nafter\n"
    )


def test_what_is_made_of_leagues_is_a_page_plots_and_a_readme(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "league.md").write_text("Words.", encoding="utf-8")
    (tmp_path / "README.md").write_text("No table.", encoding="utf-8")
    names = ["league-40ms.json", "league-torch.json"]
    for name, each in zip(names, (archive, in_another_engine(archive, "onnxruntime", 2.0)), strict=True):
        write_json(tmp_path / name, each.to_json())
    files = [tmp_path / name for name in names]
    made = written(files, tmp_path / "league.md", tmp_path / "docs", tmp_path / "README.md")
    assert [path.relative_to(tmp_path).as_posix() for path in made] == [
        "docs/results.md", "docs/league-40ms.svg", "README.md",
    ]  # fmt: skip
    assert made[tmp_path / "README.md"] == "No table."
    with pytest.raises(InputError, match="names of their own"):
        written([files[0], files[0]], tmp_path / "league.md", tmp_path, tmp_path / "README.md")
