"""The report of a check as one self-contained HTML page: no network, no other file, and no script.

All content is untrusted: Jinja escapes it, and the page's content security policy allows only its one style.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.model_check import terminal
from conformance.model_check.explanation import explain_step
from conformance.model_check.result import RIGHT, CheckReport
from conformance.model_check.speed_plot import draw_speed
from conformance.model_check.uses import NOT_ASKED
from conformance.report.html.assets import csp_hash, make_environment, mark_safe, read_asset

HERE = Path(__file__).parent
# The mark and the class of a status; report/html/style.css has the colours.
GOOD, WARNING, BAD, ABSENT = ("✓", "conforms"), ("◐", "known-failure"), ("✗", "fails"), ("\u2013", "not-applicable")
MARKS = {
    **dict.fromkeys(("right", "yes", "faster"), GOOD),
    **dict.fromkeys(("refused", "refused unclearly", "slow", "not asked"), WARNING),
    **dict.fromkeys(("wrong", "crash", "no"), BAD),
}


def render_page(report: CheckReport) -> str:
    """Return the page of a report."""
    style = mark_safe(read_asset("style.css") + (HERE / "page.css").read_text(encoding="utf-8"))
    data = report.data()
    return str(
        make_environment(HERE)
        .get_template("page.html.j2")
        .render(
            style=style,
            style_hash=csp_hash(style),
            request=data["request"],
            environment=data["environment"],
            model=data["model"],
            verdict=data["verdict"],
            positive=data["exit_code"] == RIGHT,
            uses=[each for each in data["uses"] if each["answer"] != NOT_ASKED],
            caveats=[terminal.caveat_text(each) for each in data["caveats"]],
            slow=data["slow"],
            remedies=data["remedies"],
            checks=list(_check_rows(report)),
            speeds=list(_speed_rows(data["cost"])),
            mark_of=lambda status: MARKS.get(status, ABSENT),
        )
    )


def _check_rows(report: CheckReport) -> Iterator[dict[str, Any]]:
    """Yield a row for each check: its result with its meaning, or with the name of an earlier one that it repeats."""
    before: dict[str, Mapping[str, Any]] = {}
    for name, answer in report.checks.items():
        alike = next((other for other, shown in before.items() if terminal.is_alike(answer, shown)), None)
        places = [(label.rstrip(" :"), answer[key]) for key, label in terminal.PLACES if answer.get(key)]
        yield {"name": name, "meaning": explain_step(name), "alike": alike, "places": places, **answer}
        before[name] = answer


def _speed_rows(cost: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield each measurement as sentences, a picture and a table."""
    for name, answer in cost.items():
        if "rows" not in answer:
            yield {"name": name, "said": [f"{answer['status']}: {answer['message']}"], "plot": "", "rows": []}
            continue
        said = [terminal.speed_sentence(answer["asked"]), terminal.speed_by_members(answer)]
        plot = mark_safe(draw_speed(answer["rows"], name))
        yield {"name": name, "said": said, "plot": plot, "rows": answer["rows"]}
