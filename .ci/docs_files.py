"""What the site shows beside docs/: the figures under benchmarks/results, CONTRIBUTING.md and CHANGELOG.md.

A hook of MkDocs. Links of the repository lead there in a checkout; here they are turned to where the site has them.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# Pages of the site that lie at the root of the repository.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_RESULTS = ROOT / "benchmarks" / "results"


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs' types change between its versions
    """Add the files that do not lie in docs/."""
    for path in sorted(_RESULTS.glob("*.json")):
        files.append(File.generated(config, f"results/{path.name}", content=path.read_text(encoding="utf-8")))
    for name, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Turn links of the repository into links of the site."""
    turned = re.sub(r"\]\((?:\.\./)?benchmarks/results/", "](results/", markdown)
    turned = re.sub(r"\]\(docs/", "](", turned)
    for name, uri in PAGES.items():
        turned = re.sub(rf"\]\((?:\.\./)?{re.escape(name)}", f"]({uri}", turned)
    return turned
