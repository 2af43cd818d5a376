"""What is under test: torch.func, functorch, compiled, or a third-party implementation."""
