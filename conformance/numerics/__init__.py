"""How close is close enough: the plain loop, its error budget, and assertions."""
