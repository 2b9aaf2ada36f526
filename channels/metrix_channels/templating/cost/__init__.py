"""Calculates an upper bound of the cost of rendering a template, from its syntax tree."""
