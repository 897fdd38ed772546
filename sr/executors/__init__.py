"""Who does work that takes long: this process, or processes beside it."""
