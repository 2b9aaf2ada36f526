"""`manage.py metrix`."""
