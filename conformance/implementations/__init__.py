"""Implementations under test: torch.func, functorch, compiled, or a third-party one."""
