"""What a search can build: descriptions of networks, their blocks and the spaces they are drawn from."""
