"""Reports on a run: counts, rows, a timeline, a page."""
