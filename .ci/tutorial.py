#!/usr/bin/env python3
"""Follows a tutorial word for word in a fresh copy, environment and cache: python3 .ci/tutorial.py [PAGE] [--show].

All shell blocks of the page run one after another in one shell, as a reader would type them, and its Python blocks as
scripts between them. A comment in front of a block says what is different: `<!-- left out: WHY -->`, or
`<!-- in another terminal -->` for what goes on until it is stopped. Where the page means pictures of the reader's own,
pictures inside scikit-image stand in for them. --show writes the script and runs nothing. It takes as long as the
tutorial says, fifteen minutes to half an hour.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FIRST = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>left out: [^\n]*?|in another terminal) -->\n\n?)?"
    r"^```(?P<language>sh|python)\n(?P<code>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
# Made once the page has installed what reads and writes them.
_STAND_INS = """
python - <<'MADE'
from pathlib import Path
from PIL import Image
from skimage import data
pictures = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
for folder in ("Set5", "DIV2K"):
    Path(folder).mkdir()
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(f"{folder}/{name}.png")
Image.fromarray(data.rocket()).save("photo.jpg")
MADE
"""
# One command that must go on by itself until it is stopped: that it ended before is an error.
_IN_ANOTHER = """
( exec {code} ) & other=$!
sleep 15
kill $other
wait $other 2>/dev/null || true
"""


def script_of(page: Path) -> str:
    """Return the page's commands as one script, after those that the first tutorial installs with."""
    install, found = _blocks(_FIRST)[0]["code"], _blocks(page)
    parts = ["set -euo pipefail", f"cat <<'TYPED'\n{install}TYPED\n{install}", _STAND_INS]
    for number, match in enumerate(found, start=1):
        mark, code = match["mark"] or "", match["code"]
        if code == install:
            continue
        parts.append(f"echo; echo '== block {number} of {page.name}: '\"$SECONDS s so far\"")
        if mark.startswith("left out"):
            parts.append(f"echo '{mark}'")
            continue
        if mark:
            code = _IN_ANOTHER.format(code=code.strip())
        elif match["language"] == "python":
            code = f"cat >example.py <<'TYPED'\n{code}TYPED\npython example.py\n"
        parts.append(f"cat <<'TYPED'\n{match['code']}TYPED\n{code}")
    return "\n".join(parts) + "\n"


def _blocks(page: Path) -> list[re.Match[str]]:
    """Return the shell and Python blocks of a page, each with its mark."""
    return list(_BLOCK.finditer(page.read_text(encoding="utf-8")))


def main() -> int:
    """Copy what git tracks, and follow the page there; returns the exit code of the first command that fails."""
    parser = argparse.ArgumentParser(description="Follow a tutorial word for word in a fresh environment.")
    parser.add_argument("page", nargs="?", type=Path, default=_FIRST)
    parser.add_argument("--show", action="store_true", help="write the script and run nothing")
    args = parser.parse_args()
    script = script_of(args.page)
    if args.show:
        sys.stdout.write(script)
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "paretosr"
        copy.mkdir()
        tracked = subprocess.run(
            ["git", "ls-files", "-z", "--cached"], cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(["xargs", "-0", "cp", "--parents", "-t", str(copy)], cwd=ROOT, input=tracked, check=True)
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        # Of the caller's own environment nothing.
        environment.pop("PYTHONPATH", None)
        code = subprocess.run(["bash", "-c", script], cwd=copy, env=environment, check=False).returncode
    sys.stdout.write(f"\n{args.page.name}: exit code {code} after {(time.monotonic() - began) / 60:.1f} minutes\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
