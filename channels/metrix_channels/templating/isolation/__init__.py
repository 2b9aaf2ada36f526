"""Rendering in a child process, with limits that hold whatever the template does."""
