"""What an attempt means and what follows from it: pure decisions, and the attempts that they are made of."""
