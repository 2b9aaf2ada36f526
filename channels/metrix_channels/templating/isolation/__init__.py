"""Renders templates in a child process, with limits that no template can exceed."""
