"""The reference of the command line, from the parsers of argparse and the options that the pytest plugin adds."""

import argparse
import re
import textwrap
from collections.abc import Iterator

from conformance.cli import check, listing, report_parsers, reproduce, run, simulate
from conformance.cli.main import HELP
from docs.generate.markdown import block, code, escape, table

WIDTH = 88


def cli_lines() -> Iterator[str]:
    """Yield the reference: all verbs at a glance, then a section for each."""
    yield from block(HELP.partition("\n\n")[0])
    yield from _section("run", "Run the suite. The command takes all options of pytest, and these:")
    yield from _option_table(run.make_parser())
    for verb, parser in verb_parsers().items():
        yield from _section(verb, escape_paragraphs(parser.description or ""))
        yield from block(usage(parser))
        yield from _option_table(parser)
        if parser.epilog:
            yield from block(textwrap.dedent(parser.epilog))


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb that has one of its own."""
    return {
        "check": check.make_parser(),
        "compare": report_parsers.make_compare_parser(),
        "list": listing.make_parser(),
        "explain": report_parsers.make_explain_parser(),
        "render": report_parsers.make_render_parser(),
        "tables": report_parsers.make_tables_parser(),
        "recover": report_parsers.make_recover_parser(),
        "reproduce": reproduce.make_reproduce_parser(),
        "report": reproduce.make_report_parser(),
        "simulate": simulate.make_parser(),
    }


def usage(parser: argparse.ArgumentParser) -> str:
    """Return the usage, however wide the terminal is."""
    parser.formatter_class = lambda prog, **options: argparse.HelpFormatter(prog, **{**options, "width": WIDTH})
    parser.color = False  # from Python 3.14 on
    return parser.format_usage()


def escape_paragraphs(text: str) -> str:
    """Return plain paragraphs as Markdown."""
    return "\n\n".join(map(escape, re.split(r"\n\s*\n", text.strip())))


def _section(verb: str, text: str) -> Iterator[str]:
    yield from (f"(conformance-{verb})=", f"## conformance {verb}", "", text, "")


def _option_table(parser: argparse.ArgumentParser) -> Iterator[str]:
    actions = [each for each in parser._actions if not isinstance(each, argparse._HelpAction)]  # noqa: SLF001
    yield from table(("argument", "meaning"), [(code(_spelling(each)), escape(_meaning(each))) for each in actions])


def _spelling(action: argparse.Action) -> str:
    value = str(action.metavar or (action.dest if not action.option_strings else action.dest.upper()))
    if not action.option_strings:
        return value
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {value}"


def _meaning(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
