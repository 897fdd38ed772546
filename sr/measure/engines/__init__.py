"""What runs a network: one engine per file, all behind one protocol."""
