"""AHC-SRN's own operating point: HCSRN pruned to the counts that the challenge published, and its runtime.

    python benchmarks/ahc_srn.py hcsrn64.pth --data DIV2K --val DIV2K --json ahc_srn.json

Prunes a 64-channel HCSRN to the published parameters, multiply-adds and activations, and times it beside MSRResNet, the
challenge's baseline, and beside the dense network, all in turn in the same rounds.
"""

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from machine_paths import shown_command

from prune import flags
from prune.config import PER_LAYER, PruneConfig
from sr.command import DONE, Parser, run
from sr.files import write_json
from sr.terminal import Terminal, say

if TYPE_CHECKING:
    from sr.measure.complexity import Complexity

# Biases and activations, which the challenge's FLOPs count and multiply-adds do not, take this share of them.
FLOPS_MARGIN = 0.99
TARGET = "ahc-srn, ours"


@dataclass(frozen=True)
class Asked:
    """What is pruned, how, and where the figures go."""

    checkpoint: Path
    config: PruneConfig
    json: Path | None


def main(argv: list[str] | None = None) -> int:
    """Prune to the published counts, measure, and print both rows."""
    asked = parse(argv)
    import baselines
    from baselines.challenge_table.published import row
    from prune.pipeline import prune
    from sr.checkpoint import load_network, provenance
    from sr.measure.complexity import count
    from sr.measure.engine_choice import with_engine
    from sr.measure.latency import Protocol, measure_runtimes
    from sr.measure.target import Target

    published = row("AHC-SRN")
    assert published.params_m is not None
    assert published.flops_g is not None
    assert published.activations_m is not None
    budget = (published.params_m * 1e6, published.flops_g * 1e9 * FLOPS_MARGIN, published.activations_m * 1e6)
    network_path = asked.config.folder / f"{PER_LAYER}-shared" / "network.pth"
    if not network_path.is_file():
        resume = (asked.config.folder / "asked.json").exists()
        prune(asked.checkpoint, replace(asked.config, budget=budget, resume=resume), report=Terminal())
    networks = {
        TARGET: load_network(network_path),
        "hcsrn": load_network(asked.checkpoint),
        "msrresnet": baselines.build("msrresnet"),
    }
    target = with_engine(Target.of(asked.config.device), asked.config.engine, report=Terminal())
    runtimes = measure_runtimes(networks, target, Protocol(seconds=8.0, minimum_runs=8))
    counts = {name: count(network) for name, network in networks.items()}
    for name, complexity in counts.items():
        say(f"{name}: {describe(complexity)}, {runtimes[name].median_ms:.1f} ms")
    say(f"AHC-SRN as published: {published.params_m} M parameters, {published.flops_g} G FLOPs, "
        f"{published.activations_m} M activations, {published.convs:.0f} convolutions, 1.38 times MSRResNet's runtime "
        "on the challenge's GPU")  # fmt: skip
    ratio = runtimes["msrresnet"].median_ms / runtimes[TARGET].median_ms
    say(f"ours takes {1 / ratio:.2f} times MSRResNet's runtime here")
    if asked.json:
        place = target.conditions
        write_json(asked.json, {
            "ratio": ratio, "counts": {name: asdict(complexity) for name, complexity in counts.items()},
            "runtimes": {name: asdict(runtime) for name, runtime in runtimes.items()},
            "engine": place.engine,
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": shown_command("ahc_srn.py", argv),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> Asked:
    """Read what this command needs; the rest are flags of prune.run."""
    parser = Parser(
        prog="python benchmarks/ahc_srn.py",
        description="Prune a 64-channel HCSRN to AHC-SRN's published counts; other flags are those of prune.run.",
        example="python benchmarks/ahc_srn.py hcsrn64.pth --data DIV2K --val DIV2K --json ahc_srn.json",
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="HCSRN, as python -m baselines.train hcsrn makes it")
    parser.add_shared("out", "json", out="runs/ahc-srn")
    args, rest = parser.parse_known_args(argv)
    config = flags.parse([args.checkpoint, *rest]).config
    config = replace(
        config, targets=("params", "multi_adds", "activations"), methods=(PER_LAYER,), channel_orders=("shared",),
        out=args.out,
    )  # fmt: skip
    return Asked(Path(args.checkpoint), config, args.json)


def describe(complexity: "Complexity") -> str:
    """Return the counts of a row of the challenge's table."""
    return (
        f"{complexity.params / 1e6:.3f} M parameters, {complexity.challenge_flops / 1e9:.2f} G FLOPs, "
        f"{complexity.activations / 1e6:.2f} M activations, {complexity.convs} convolutions"
    )


if __name__ == "__main__":
    sys.exit(run(main))
