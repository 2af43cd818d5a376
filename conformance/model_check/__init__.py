"""``conformance check``: can this model be ensembled, is the ensemble right, and is it faster than a loop?

`command` reads the arguments, `contained` has them answered by a child process, `answering` is what runs there, and
`screen` shows it.
"""
