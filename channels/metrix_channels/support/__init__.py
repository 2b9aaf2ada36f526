"""What helps when something fails: what is wrong with the connection, and what Metrix's support asks for."""
