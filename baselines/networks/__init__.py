"""The hand-designed networks of the field, one file per system."""
