"""A look at mined pairs, for a person who has to set the threshold: one HTML page."""
