"""Users and events on their way to Metrix."""
