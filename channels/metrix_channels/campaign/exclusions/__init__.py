"""Who is sent nothing: suppressed and capped recipients."""
