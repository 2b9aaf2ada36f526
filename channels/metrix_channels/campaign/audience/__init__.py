"""Reads the rows of a campaign as a stream: from files, standard input, databases and Python programs."""
