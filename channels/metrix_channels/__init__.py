"""Send Push, SMS and Email through Metrix."""

__version__ = "0.1.0"
