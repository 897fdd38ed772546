"""The baselines as those tests take them that ask the same of all of them."""

from torch import nn

from baselines import build


def small(name: str, num_block: int = 2) -> nn.Module:
    """Build the smallest form of a baseline that still has all its parts."""
    otherwise = {
        "maffsrn": {"num_feat": 8, "num_group": 1},
        "efdn": {"num_feat": 8},
        "larvanet": {"num_feat": 8, "num_block": 1},
        "larn": {"num_feat": 8},
        "idlesr": {"num_feat": 8, "num_block": 3},
        "spsr": {"num_feat": 12, "num_block": num_block},
        "hcsrn": {"num_feat": 8, "num_block1": num_block, "num_block2": 1},
    }
    return build(name, **otherwise.get(name, {"num_feat": 8, "num_block": num_block})).eval()
