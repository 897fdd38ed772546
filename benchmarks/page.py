"""How heavy the page of a long search is, and how soon Chromium shows it: synthetic candidates, real photographs.

python benchmarks/page.py --trials 2000
"""

import argparse
import http.server
import queue
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import torch.nn.functional as F

from nas.optuna_backend.times import TrialTimes
from nas.report.ending import Ending
from nas.report.page import search_page
from nas.report.run import Run
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture, Block
from search_spaces.fast_counts import counts
from sr.data.degradation import upscale_bicubic
from sr.data.sources import load_pairs
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions
from sr.report.sample_crops import keep_samples
from sr.report.samples import Sample, read_samples

# The best of the networks designed by hand.
_RIVAL = "ecbsr num_feat=16"
_PLACE = Conditions("a device that was made up", "no driver", "versions", 2, (256, 256), "float32")
# The page tells when something of it was first seen, and when all of it was: two frames after its scripts and its
# pictures were done, of which the second begins once the first is on the screen. In milliseconds.
_TELL = """<script>
addEventListener("load", () => requestAnimationFrame(() => requestAnimationFrame(() => {
  const seen = performance.now();
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) fetch("told", { method: "POST", body: `${paint.startTime} ${seen}` });
  }).observe({ type: "paint", buffered: true });
})));
</script>"""
# How long Chromium may take to start and to show a page.
_PATIENCE_SECONDS = 60


def synthetic_run(folder: Path, count: int, samples: Sequence[Sample] = (), *, budget_ms: float = 40.0) -> Run:
    """Return a finished search of `count` random candidates whose runtimes follow their activations."""
    draw = random.Random(0)  # noqa: S311 - a draw, no secret
    trials = [_trial(number, draw, budget_ms) for number in range(count)]
    best = max((each for each in trials if each.state == "trained"), key=lambda each: each.psnr)
    assert best.measurement is not None
    quality = Quality(best.psnr + 1.0, best.psnr + 2.5, None, 5)
    measurement = replace(best.measurement, quality=quality)
    rivals = {name: replace(best.measurement, runtime=_runtime(ms), quality=None) for name, ms in
              ((_RIVAL, 31.0), ("rfdn num_feat=16", 32.0), ("imdn num_feat=12", 32.5))}  # fmt: skip
    rival_quality = {name: Quality(quality.psnr - 0.1 * number, 29.0, None, 5) for number, name in enumerate(rivals)}
    ending = Ending(best.number, best.architecture, measurement, Quality(24.5, 26.0, None, 5),
                    {"torch": measurement.runtime}, rivals, rival_quality, ended=datetime.now(UTC))  # fmt: skip
    settings = {
        "space": "msrresnet", "budget_ms": budget_ms, "recipe": {"seed": 0},
        "pictures": {"train": {"count": 400, "fingerprint": "a"}, "val": {"count": 2, "fingerprint": "b"}},
        "conditions": {**vars(_PLACE), "lr_size": list(_PLACE.lr_size)}, "fidelity": "rungs", "sampler": "mixed",
        "phase": "done", "chosen": best.number,
    }  # fmt: skip
    times = {each.number: timedelta(seconds=7 * each.number + 7) for each in trials}
    began = datetime.now(UTC) - timedelta(seconds=8 * count)
    command = f"python -m nas.search --budget-ms {budget_ms:g}"
    return Run(folder, settings, tuple(trials), ending, command, TrialTimes(began, times), tuple(samples))


def _trial(number: int, draw: random.Random, budget_ms: float) -> Trial:
    """Return a random candidate."""
    space = SPACES["msrresnet"]
    depth = draw.randint(1, 8)
    kinds = [draw.choice([kind for kind in space.kinds if kind != "identity"]) for _ in range(depth)]
    architecture = Architecture(
        draw.choice(space.num_feat), tuple(Block(kind) for kind in kinds), draw.choice(space.upsampler),
        draw.choice(space.image_skip), draw.choice(space.aggregation), space.norm,
    )  # fmt: skip
    counted = counts(architecture, _PLACE.lr_size)
    ms = counted.activations / 4e5 * draw.uniform(0.9, 1.1)
    complexity = Complexity(counted.params, counted.multi_adds, counted.multi_adds, counted.activations, depth + 2,
                            4 * counted.activations)  # fmt: skip
    runtime = _runtime(ms)
    within = runtime.p90_ms <= budget_ms
    psnr = 24.5 + 0.6 * (counted.multi_adds / 1e9) ** 0.25 + draw.gauss(0, 0.08)
    measurement = Measurement(complexity, runtime, _PLACE, 15.0, Quality(psnr, psnr + 1.7, None, 5) if within else None)
    rungs = (Rung(390, psnr, 7.0),) if within else ()
    return Trial(number, architecture, "trained" if within else "infeasible", measurement, seconds=7.0, rungs=rungs)


def _runtime(ms: float) -> Runtime:
    """Return a runtime with a spread."""
    return Runtime(ms, 0.97 * ms, 1.05 * ms, 40, reliable=True, memory_format="contiguous")


def _times_in_chromium(page: str, chromium: str) -> tuple[float, float]:
    """Return in milliseconds from the navigation on when something was first painted, and when all was seen."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    content = page.replace("</body>", f"{_TELL}</body>").encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Gives the page, and takes what it tells."""

        def do_GET(self) -> None:
            """Give the page."""
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            """Take what the page tells."""
            told.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the parent's name
            """Say nothing."""

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                   "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/"]  # fmt: skip
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - installed here
        try:
            painted, seen = told.get(timeout=_PATIENCE_SECONDS).split()
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    return float(painted), float(seen)


def photographs(folder: Path) -> list[Sample]:
    """Return crops of the photographs inside scikit-image as a search keeps them; ours is nearest neighbour."""
    keep_samples(folder, load_pairs(None, "val"), partial(F.interpolate, scale_factor=4), {_RIVAL: upscale_bicubic})
    return read_samples(folder)


def main() -> int:
    """Print the weight of the page, what making it takes, and when Chromium shows it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000, metavar="N")
    parser.add_argument("--times", type=int, default=5, metavar="N", help="how often Chromium opens it (default 5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the page here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = synthetic_run(Path("runs/forty"), args.trials, photographs(Path(folder)))
        began = time.monotonic()
        page = search_page(run)
        seconds = time.monotonic() - began
    print(f"{args.trials} candidates: {len(page.encode()) / 1e6:.2f} MB, made in {seconds:.1f} s")
    if args.out is not None:
        args.out.write_text(page, encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium is here to open it")
        return 0
    found = [_times_in_chromium(page, chromium) for _ in range(args.times)]
    painted, seen = (statistics.median(each[index] for each in found) for index in (0, 1))
    print(f"first paint after {painted:.0f} ms, all on the screen after {seen:.0f} ms (medians of {args.times})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
