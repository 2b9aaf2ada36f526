"""Sends users and events to Metrix."""
