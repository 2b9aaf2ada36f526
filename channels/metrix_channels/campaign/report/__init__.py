"""What became of a run: counts, rows, a timeline, a page."""
