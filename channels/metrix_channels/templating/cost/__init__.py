"""What rendering a template can cost at most: an upper bound from its syntax tree."""
