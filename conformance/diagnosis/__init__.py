"""Which layer broke: the last call of a failed test, asked again from the plain module up, and a script of it."""
