"""Training: recipes, the trainer, and fits that go on after a kill."""
