"""Every command in README and docs/ is one that its own parser takes; nothing of it is run."""

import importlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import paretosr.__main__
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError
from tests.docs.conftest import PAGES, ROOT, blocks, text_of

# What reads each command's flags and keeps its constraints.
PARSERS: dict[str, Callable[[list[str]], object]] = {
    "nas.search": importlib.import_module("nas.config.search_arguments").parse,
    "nas.report": importlib.import_module("nas.report.__main__").parse,
    "nas.compare": importlib.import_module("nas.compare").parse,
    "nas.calibrate": importlib.import_module("nas.calibrate").parse,
    "nas.export": importlib.import_module("nas.export").parse,
    "prune.run": importlib.import_module("prune.flags").parse,
    "baselines.table": importlib.import_module("baselines.table").parse,
    "baselines.train": importlib.import_module("baselines.train").parse,
    "baselines.convert": importlib.import_module("baselines.convert").parse,
    "sr.evaluate": importlib.import_module("sr.evaluate").parse,
    "sr.upscale": importlib.import_module("sr.upscale").parse,
    "sr.export": importlib.import_module("sr.export").parse,
    "sr.quantize": importlib.import_module("sr.quantize").parse,
    "sr.data": importlib.import_module("sr.data.__main__").parse,
}
PACKAGES = ("nas", "prune", "sr", "baselines")
# How a text names what the reader puts in, and something that may stand there.
PLACEHOLDERS = {"N": ["4"], "MS": ["40"], "RUN...": ["RUN", "OTHER"], "KEY=VALUE": ["num_block=4"]}
_TYPED = re.compile(r"(?:\S*python3?) -m ((?:nas|prune|sr|baselines)(?:\.\w+)*)\b(.*)")
_ANSWERED = re.compile(r"--(list|help)\b")
# What the page on such files shows, and the least that a pruning takes.
RUN_FILES = {
    "nas.search": blocks(ROOT / "docs" / "commands.md", "toml")[0],
    "prune.run": 'checkpoint = "hcsrn.pth"\n',
}


def typed_in(page: Path) -> list[tuple[str, str]]:
    """Return module and arguments of every command in the shell blocks of a page."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return _commands([part for line in lines for part in line.split("&&")])


def named_in(page: Path) -> list[tuple[str, str]]:
    """Return module and arguments of every command between backticks in the text of a page."""
    return _commands(re.findall(r"`([^`]+)`", text_of(page).replace("\n", " ")))


def _commands(lines: list[str]) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for line in lines if (match := _TYPED.search(line))]


def arguments(text: str) -> list[str]:
    """Return arguments as a shell reads them: optional ones given, alternatives the first, placeholders filled in."""
    words = shlex.split(re.sub(r"[\[\]]", " ", text.replace("\\|", "|")), comments=True)
    first = [word.split("|")[0] for word in words]
    return [part for word in first for part in PLACEHOLDERS.get(word, [word])]


# A command that stands in the text alone names itself and is no call.
TYPED = sorted({(page.name, *each) for page in PAGES for each in typed_in(page)})
NAMED = sorted({(page.name, *each) for page in PAGES for each in named_in(page) if each[1].strip()})


@pytest.mark.parametrize(("page", "module", "text"), TYPED)
def test_command_that_a_page_tells_to_type_is_one_that_its_parser_takes(
    page: str, module: str, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = arguments(text)
    for name in argv:
        if name.endswith(".toml"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text(RUN_FILES[module], encoding="utf-8")
    assert module in PARSERS, page
    PARSERS[module](argv)


@pytest.mark.parametrize(("page", "module", "text"), NAMED)
def test_command_that_a_page_names_has_the_flags_that_it_names(page: str, module: str, text: str) -> None:
    assert module in PARSERS, page
    if _ANSWERED.search(text):
        return
    try:
        PARSERS[module](arguments(text))
    except InputError as error:
        # A text may leave out what does not matter to it.
        assert "the following arguments are required" in str(error)  # noqa: PT017


def test_every_command_is_named_by_a_page() -> None:
    assert {module for _, module, _ in TYPED + NAMED} == set(PARSERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_module_that_a_page_runs_is_there(page: Path) -> None:
    for module, _ in typed_in(page) + named_in(page):
        assert module in PARSERS or module in PACKAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_benchmark_that_a_page_runs_is_there(page: Path, root: Path) -> None:
    for name in re.findall(r"benchmarks/\w+\.(?:py|sh)", page.read_text(encoding="utf-8")):
        assert (root / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_short_command_of_a_page_is_listed(page: Path) -> None:
    for name in re.findall(r"`paretosr ([a-z]+)", page.read_text(encoding="utf-8")):
        assert name in paretosr.__main__.COMMANDS


@pytest.mark.parametrize("package", PACKAGES)
def test_package_lists_its_commands(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"{package}.__main__")
    assert run(module.main, []) == DONE
    shown = capsys.readouterr().out
    for name, what in module.COMMANDS.items():
        assert re.search(rf"^  python -m {package}\.{name} +{re.escape(what)}$", shown, re.MULTILINE)
    assert run(module.main, ["--help"]) == DONE
    assert run(module.main, [next(iter(module.COMMANDS))]) == BAD_INPUT


def test_packages_and_the_door_list_the_same() -> None:
    listed = {
        f"{package}.{name}": what
        for package in PACKAGES
        for name, what in importlib.import_module(f"{package}.__main__").COMMANDS.items()
    }
    of_the_door = dict(paretosr.__main__.COMMANDS.values())
    assert listed == {module.removesuffix(".__main__"): what for module, what in of_the_door.items()}
    assert listed.keys() == PARSERS.keys()
