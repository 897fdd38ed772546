"""The entry of neptuneai, the one that a search found."""

from dataclasses import replace

from search_spaces.neptuneai import NEPTUNEAI
from search_spaces.network import SearchedNetwork
from sr.errors import InputError


def neptuneai(num_feat: int = 64, num_block: int = 16) -> SearchedNetwork:
    """Return neptuneai's network, or its first `num_block` blocks; a reconstruction with exact counts.

    Which kinds of blocks it has follows from the counts, their order was not published. The counts hold the batch norm
    of the training form. Input range: [0, 1]. num_feat: a multiple of 4 from 8 to 64; num_block: at most 16.

    Source: team neptuneai in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.
    """
    if num_block > len(NEPTUNEAI.blocks):
        raise InputError(f"neptuneai's num_block must be at most {len(NEPTUNEAI.blocks)}, got {num_block}")
    return SearchedNetwork(replace(NEPTUNEAI, num_feat=num_feat, blocks=NEPTUNEAI.blocks[:num_block]))
