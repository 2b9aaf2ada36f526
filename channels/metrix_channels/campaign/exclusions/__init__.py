"""Excludes suppressed and capped recipients."""
