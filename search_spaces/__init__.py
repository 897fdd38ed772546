"""What a search can build: descriptions of networks, their blocks and the spaces they are drawn from.

Descriptions and spaces need no torch; `search_spaces.network.build` makes a description's network, and
`search_spaces.supernet.Supernet` one network whose weights all of a space share.
"""

from search_spaces.architecture import Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.neptuneai import NEPTUNEAI_SPACE
from search_spaces.space import SearchSpace

__all__ = ["BLOCKS", "SPACES", "Architecture", "Block", "SearchSpace"]

SPACES: dict[str, SearchSpace] = {
    "msrresnet": MSRRESNET_SPACE,
    "neptuneai": NEPTUNEAI_SPACE,
}
