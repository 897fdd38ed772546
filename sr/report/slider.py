"""Pictures of the same place under a slider. Moved by `assets/slider.js`."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from sr.report.samples import BICUBIC, HR, LR, OURS, Sample

_WORDS = {LR: "LR, nearest neighbour", BICUBIC: "bicubic", OURS: "ours", HR: "original (HR)"}


def slider(
    samples: Sequence[Sample], *, aside: str = "", words: Mapping[str, str] | None = None, left: str = BICUBIC
) -> str:
    """Return the figure of samples, at least one: two pictures under a slider, and all there are below it.

    Args:
        samples: The first one is shown first.
        aside: HTML beside the pictures, on a wide screen.
        words: What stands for a name of the samples instead of what a search calls it.
        left: The name of what is on the left at first.
    """
    words = _WORDS | (dict(words) if words else {})
    versions = "".join(_versions(sample, words, hidden=index > 0) for index, sample in enumerate(samples))
    crops = "".join(
        f'<button type="button" aria-label="Show a crop of {html.escape(each.picture)}">'
        f'<img src="{_data(each.files[HR])}" alt=""></button>'
        for each in samples
    )
    where = ", ".join(dict.fromkeys(each.picture for each in samples))
    return f"""<figure class="compare" data-left="{html.escape(left)}" data-right="{OURS}"><div class="hero"><div>
<div class="stage"><img class="right" alt=""><img class="left" alt="">
<input type="range" min="0" max="100" step="2" value="50" aria-label="How much of the left picture is shown">
<span class="bar"></span><span class="tag of-left"></span><span class="tag of-right"></span></div>
<div class="crops" role="group" aria-label="Places to look at">{crops}</div></div>
<div>{aside}{versions}
<figcaption>Drag the line, or focus it and press the arrow keys; press a picture to put it on the left. These are the
places where ours and bicubic interpolation differ most ({html.escape(where)}), so no average: dB are of the crop
alone.</figcaption>
</div></div></figure>
"""


def _versions(sample: Sample, words: Mapping[str, str], *, hidden: bool) -> str:
    """Return the pictures of one place, each a button that puts it under the slider."""
    rivals = sorted(name for name in sample.files if name not in (LR, BICUBIC, OURS, HR))
    buttons = []
    for name in (LR, BICUBIC, OURS, *rivals, HR):
        said = words.get(name, name)
        score = "" if name not in sample.psnr else f"<br>{sample.psnr[name]:.2f} dB"
        pixels = ' class="pixels"' if name == LR else ""
        buttons.append(
            f'<button type="button" data-name="{html.escape(name)}" data-words="{html.escape(said)}">'
            f'<img{pixels} src="{_data(sample.files[name])}" alt="{html.escape(f"{sample.picture}: {said}")}">'
            f"{html.escape(said)}{score}</button>"
        )
    return f'<div class="versions"{" hidden" if hidden else ""}>{"".join(buttons)}</div>\n'


def _data(path: Path) -> str:
    """Return a PNG as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
