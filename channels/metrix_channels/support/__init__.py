"""Helps when something fails: `doctor` checks the connection, and the bundle holds what Metrix's support asks for."""
