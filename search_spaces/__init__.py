"""What a search can build: descriptions of networks, their blocks and the spaces they are drawn from."""

from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.neptuneai import NEPTUNEAI_SPACE
from search_spaces.space import SearchSpace

SPACES: dict[str, SearchSpace] = {
    "msrresnet": MSRRESNET_SPACE,
    "neptuneai": NEPTUNEAI_SPACE,
}
