"""What follows the tutorials types what they say, and nothing that they do not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT, blocks

SCRIPT = ROOT / ".ci" / "tutorial.py"


@pytest.mark.parametrize("name", ["tutorial.md", "tutorial-pruning.md"])
def test_script_types_every_block_of_the_page_or_says_why_not(name: str) -> None:
    page = ROOT / "docs" / name
    asked = [sys.executable, str(SCRIPT), str(page), "--show"]
    script = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    subprocess.run(["bash", "-n"], input=script, check=True, text=True)
    typed = blocks(page, "sh") + blocks(page, "python")
    left_out = page.read_text(encoding="utf-8").count("<!-- left out: ")
    assert script.count("echo 'left out: ") == left_out
    assert sum(block in script for block in typed) == len(typed) - left_out


def test_page_is_followed_after_what_the_first_tutorial_installs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n```sh\necho done\n```\n\n<!-- in another terminal -->\n```sh\nsleep 1000\n```\n\n"
        "```python\nprint(1)\n```\n"
    )
    asked = [sys.executable, str(SCRIPT), str(page), "--show"]
    script = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert script.index("-m venv") < script.index("from skimage import data") < script.index("\necho done\n")
    assert "( exec sleep 1000 ) & other=$!\nsleep 15\nkill $other\n" in script
    assert "\nprint(1)\nTYPED\npython example.py\n" in script
