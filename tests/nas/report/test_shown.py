"""One command shows the page of every run."""

import threading
import urllib.request
from pathlib import Path

import pytest

from nas.optuna_backend.study import OptunaStudy
from nas.report.__main__ import main
from nas.report.run import JOURNAL, Run
from nas.report.shown import shown_page
from search_spaces import SPACES
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError
from sr.report.live import NotYetError, live_page


@pytest.fixture
def searching(tmp_path: Path, run: Run) -> Path:
    """Return the folder of a search that has measured nothing."""
    folder = tmp_path / "searching"
    study = OptunaStudy(SPACES["msrresnet"], "search", str(folder / JOURNAL), 100.0)
    study.remember({**run.settings, "phase": "search"})
    return folder


def test_page_of_a_search_is_made_of_its_record(searching: Path) -> None:
    page = shown_page(searching)
    assert page.is_made_anew
    assert page.path == searching / "pareto.html"
    assert "<h1>Searching for" in page.build()
    assert page.stamp() == page.stamp()


@pytest.mark.parametrize(("name", "begun"), [("page.html", "asked.json"), ("league.html", "runtimes-0f.json")])
def test_page_of_another_run_is_the_one_that_it_wrote(tmp_path: Path, name: str, begun: str) -> None:
    (tmp_path / begun).touch()
    page = shown_page(tmp_path)
    with pytest.raises(NotYetError):
        page.build()
    (tmp_path / name).write_text("<body>what came out</body>")
    assert page.build() == "<body>what came out</body>"
    assert not page.is_made_anew
    with live_page(page.build, page.stamp, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=30) as answer:
            assert "what came out" in answer.read().decode()
        server.shutdown()


def test_page_of_a_search_whose_record_is_elsewhere_is_the_one_that_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "command.txt").write_text("python -m nas.search --storage postgresql://db\n")
    (tmp_path / "pareto.html").write_text("a page")
    page = shown_page(tmp_path)
    assert not page.is_made_anew
    assert page.build() == "a page"
    assert shown_page(tmp_path, "sqlite:///study.db").is_made_anew


def test_search_of_which_nothing_is_kept_yet_has_no_page_yet(tmp_path: Path) -> None:
    (tmp_path / "command.txt").write_text("python -m nas.search --budget-ms 40\n")
    with pytest.raises(NotYetError, match="has only begun, or keeps its record in a database"):
        shown_page(tmp_path).build()


def test_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder at .*; name the --out of a search, a pruning or a league"):
        shown_page(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds 0 studies"):
        shown_page(tmp_path).build()


def test_command_writes_the_page_of_a_search_and_leaves_that_of_a_pruning(
    searching: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(main, [str(searching)]) == DONE
    assert "works offline" in capsys.readouterr().out
    assert "<h1>Searching for" in (searching / "pareto.html").read_text(encoding="utf-8")
    kept = tmp_path / "pruned" / "page.html"
    kept.parent.mkdir()
    kept.write_text("a page")
    before = kept.stat().st_mtime_ns
    assert run(main, [str(kept.parent)]) == DONE
    assert kept.stat().st_mtime_ns == before
    assert run(main, [str(kept.parent), "--out", str(tmp_path / "sent.html")]) == DONE
    assert (tmp_path / "sent.html").read_text() == "a page"
    assert run(main, [str(tmp_path), "--serve"]) == BAD_INPUT
