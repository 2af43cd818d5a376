"""Defects to inject, each naming the requirement it breaks."""


def inject(name, implementation):
    raise ValueError(name)
