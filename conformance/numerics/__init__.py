"""The tolerance rule: the plain loop, its error budget, and assertions."""
