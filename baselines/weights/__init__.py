"""Weights as they are published: the files they come in, the names they go by, their training forms and their sizes."""
