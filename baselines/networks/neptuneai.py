"""The entry of neptuneai, the one that a search found."""

from dataclasses import replace

from baselines.entry import Baseline
from search_spaces.neptuneai import NEPTUNEAI
from search_spaces.network import SearchedNetwork
from sr.errors import InputError


def neptuneai(num_feat: int = 64, num_block: int = 16) -> SearchedNetwork:
    """Return neptuneai's network, or its first `num_block` blocks; a reconstruction with exact counts.

    Which kinds of blocks it has follows from the counts, their order was not published. The counts hold the batch norm
    of the training form. Input range: [0, 1].

    Source: team neptuneai in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4 from 8 to 64.
        num_block: Blocks, at most 16.

    Raises:
        InputError: Where there are more blocks than the entry had.
    """
    if num_block > len(NEPTUNEAI.blocks):
        raise InputError(f"neptuneai's num_block must be at most {len(NEPTUNEAI.blocks)}, got {num_block}")
    return SearchedNetwork(replace(NEPTUNEAI, num_feat=num_feat, blocks=NEPTUNEAI.blocks[:num_block]))


ENTRY = Baseline(
    network=neptuneai,
    system="neptuneai",
    counted="with_norms",
)
