"""How the time of a pruning is shared out: planned by the first steps' speed, kept to, and remembered."""
