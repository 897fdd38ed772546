"""A network as a graph of operators, what each does with channels, and plans over it."""
