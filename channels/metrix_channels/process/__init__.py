"""What the operating system asks of this process."""
