"""How a request travels: one small interface, over httpx or, with the extra `fast`, over httptools."""
