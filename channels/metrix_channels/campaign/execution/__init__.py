"""Who sends a planned run: this process, or workers on any machine."""
