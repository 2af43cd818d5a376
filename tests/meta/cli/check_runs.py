"""Runs of `conformance check` in this process, on events of a supervisor that is made up."""

from conformance.cli.main import main


def checking(capfd):
    """`conformance check` in this process, and what it printed."""

    def call(*arguments):
        code = main(["check", *arguments])
        return code, *capfd.readouterr()

    return call


def generate(*events):
    """A supervisor that has these events; one that is an exception is raised."""

    def supervise(request):
        for event in events:
            if isinstance(event, BaseException):
                raise event
            yield event

    return supervise
