"""The folders of searches and prunings, with lines torn and values changed."""

import json
from collections.abc import Mapping

from fuzz_broken import Draw, broken, edited
from fuzz_case import OUT, Case
from hypothesis import strategies as st


@st.composite
def records(draw: Draw, search: Mapping[str, bytes]) -> Case:
    """Draw the folder of a search or a pruning with a line torn, a value of another type, a file missing."""
    files = {f"in/run/{name}": content for name, content in search.items()}
    name = draw(st.sampled_from(sorted(files)))
    if not draw(st.integers(0, 9)):
        del files[name]
    elif name.endswith((".json", ".journal")) and draw(st.booleans()):
        lines = files[name].splitlines()
        # The longest are those that say most: of a journal the outcomes of trials.
        longest = sorted(range(len(lines)), key=lambda each: -len(lines[each]))[:6]
        index = draw(st.sampled_from(longest) | st.integers(0, len(lines) - 1))
        lines[index] = json.dumps(edited(draw, json.loads(lines[index]))).encode()
        files[name] = b"\n".join(lines) + b"\n"
    else:
        files[name] = broken(draw, files[name], most=9)
    ways: dict[str, list[str]] = {
        "nas.report.__main__": ["in/run", "--out", f"{OUT}/page.html"],
        "nas.compare": ["in/run", "in/other", "--out", f"{OUT}/page.html"],
        "nas.export": ["in/run", "--pick", draw(st.sampled_from(("0", "chosen", "7", "x"))), "--out", OUT],
        "nas.search": ["--budget-ms", "100", "--resume", "--out", f"{OUT}/run", "--engine", "torch", "--device", "cpu",
                       "--data", "in/nowhere"],
        "prune.run": ["in/net.pth", "--engine", "torch", "--data", "in/nowhere", "--resume", "--out", OUT],
    }  # fmt: skip
    command = draw(st.sampled_from(sorted(ways)))
    if command == "nas.search":
        files = {name.replace("in/", f"{OUT}/", 1): content for name, content in files.items()}
    elif command == "nas.compare":
        files |= {f"in/other/{name}": content for name, content in search.items()}
    elif command == "prune.run":
        asked = {"checkpoint": "in/net.pth", "engine": "torch", "pictures": {"train": {"count": 1}}}
        files = {"in/net.pth": b"", f"{OUT}/asked.json": broken(draw, json.dumps(edited(draw, asked)).encode())}
    return Case("records", command, tuple(ways[command]), files)
