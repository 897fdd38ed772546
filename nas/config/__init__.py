"""What the commands are asked for: frozen configs, the flags that make them, and how much is measured."""
