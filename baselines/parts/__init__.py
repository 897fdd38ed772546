"""Parts that several hand-designed networks share."""
