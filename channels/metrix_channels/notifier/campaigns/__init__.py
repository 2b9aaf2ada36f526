"""The campaigns of a notifier, for asynchronous and for synchronous code."""
