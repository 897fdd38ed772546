"""AHC-SRN's own operating point: HCSRN pruned to the counts that the challenge published, and its runtime.

    python benchmarks/ahc_srn.py hcsrn64.pth --data DIV2K --val DIV2K --json ahc_srn.json

Prunes a 64-channel HCSRN to the published parameters, multiply-adds and activations, and times it beside MSRResNet, the
challenge's baseline, and beside the dense network, all in turn in the same rounds.
"""

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import baselines
from baselines.published import row
from prune import run as pruning
from sr.checkpoint import load_network, provenance
from sr.command import DONE, Parser, run, say
from sr.complexity import Complexity, count
from sr.files import write_json
from sr.latency import Protocol, conditions, measure_runtimes

PUBLISHED = row("AHC-SRN")
# Biases and activations, which the challenge's FLOPs count and multiply-adds do not, take this share of them.
FLOPS_MARGIN = 0.99
PROTOCOL = Protocol(seconds=8.0, minimum_runs=8)


def main(argv: list[str] | None = None) -> int:
    """Prune to the published counts, measure, and print both rows."""
    args, rest = parse(argv)
    assert PUBLISHED.params_m is not None
    assert PUBLISHED.flops_g is not None
    assert PUBLISHED.activations_m is not None
    budgets = (PUBLISHED.params_m * 1e6, PUBLISHED.flops_g * 1e9 * FLOPS_MARGIN, PUBLISHED.activations_m * 1e6)
    network_path = args.out / "nested" / "network.pth"
    if not network_path.is_file():
        resume = ["--resume"] if (args.out / "asked.json").exists() else []
        pruning.main([
            args.checkpoint, "--target", "params,multi_adds,activations", "--budget", ",".join(map(str, budgets)),
            "--arms", "fine", "--mode", "nested", "--out", str(args.out), "--device", str(args.device), *rest, *resume,
        ])  # fmt: skip
    networks = {
        "ahc-srn, ours": load_network(network_path),
        "hcsrn": load_network(Path(args.checkpoint)),
        "msrresnet": baselines.build("msrresnet"),
    }
    runtimes = measure_runtimes(networks, args.device, protocol=PROTOCOL)
    counts = {name: count(network) for name, network in networks.items()}
    for name, complexity in counts.items():
        say(f"{name}: {in_words(complexity)}, {runtimes[name].median_ms:.1f} ms")
    say(f"AHC-SRN as published: {PUBLISHED.params_m} M parameters, {PUBLISHED.flops_g} G FLOPs, "
        f"{PUBLISHED.activations_m} M activations, {PUBLISHED.convs:.0f} convolutions, 1.38 times MSRResNet's runtime "
        "on the challenge's GPU")  # fmt: skip
    ratio = runtimes["msrresnet"].median_ms / runtimes["ahc-srn, ours"].median_ms
    say(f"ours takes {1 / ratio:.2f} times MSRResNet's runtime here")
    if args.json:
        place = conditions(args.device, (256, 256), "float32")
        write_json(args.json, {
            "ratio": ratio, "counts": {name: asdict(complexity) for name, complexity in counts.items()},
            "runtimes": {name: asdict(runtime) for name, runtime in runtimes.items()},
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": shlex.join(["python", "benchmarks/ahc_srn.py", *(argv if argv is not None else sys.argv[1:])]),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Read what this command needs; the rest goes to prune.run as it is."""
    parser = Parser(
        prog="python benchmarks/ahc_srn.py",
        description="Prune a 64-channel HCSRN to AHC-SRN's published counts; other flags are those of prune.run.",
        example="python benchmarks/ahc_srn.py hcsrn64.pth --data DIV2K --val DIV2K --json ahc_srn.json",
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="HCSRN, as python -m baselines.train hcsrn makes it")
    parser.add_shared("out", "device", "json", out="runs/ahc-srn")
    return parser.parse_known_args(argv)


def in_words(complexity: Complexity) -> str:
    """Return the counts of a row of the challenge's table."""
    return (
        f"{complexity.params / 1e6:.3f} M parameters, {complexity.challenge_flops / 1e9:.2f} G FLOPs, "
        f"{complexity.activations / 1e6:.2f} M activations, {complexity.convs} convolutions"
    )


if __name__ == "__main__":
    sys.exit(run(main))
