"""The command line: ``conformance VERB``; each verb has a module with `main` and a parser."""
