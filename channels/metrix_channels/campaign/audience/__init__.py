"""Where the rows of a campaign come from: files and standard input, read as a stream."""
