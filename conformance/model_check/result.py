"""The report of a check: its results, suggested fixes and verdict, as ``--json`` prints them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from conformance.model_check.caveats import caveat_text
from conformance.model_check.options import Request
from conformance.model_check.remedies import suggest_fixes
from conformance.model_check.steps import COSTS, FORWARDS, SNIPPET
from conformance.model_check.uses import POSITIVE, answer_uses, refused_uses

SCHEMA = 2
FAILED = ("wrong", "refused", "refused unclearly")
RIGHT, WRONG, USAGE_ERROR = 0, 1, 4


@dataclass
class CheckReport:
    """The results of all steps. `checks`: one for each check and for `members`; `cost`: one for each of COSTS."""

    request: Request
    environment: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    checks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    cost: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    snippet: Mapping[str, Any] | None = None

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Set the facts of the model, and the result of `members`."""
        self.model = facts
        self.request = replace(self.request, members=facts["members"])
        problem, pairs = facts["problem"], facts.get("equal_members", "")
        status = "wrong" if problem else "right"
        self.checks["members"] = {"status": status, "message": problem or pairs, "slow": []}

    def add(self, step: str, answer: Mapping[str, Any]) -> None:
        """Add the result of a step."""
        if step == SNIPPET:
            self.snippet = answer
        else:
            (self.cost if step in COSTS else self.checks)[step] = answer

    def ended(self, *statuses: str, among: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
        """Return the checks, or the steps in `among`, with one of these statuses."""
        return [name for name, answer in (among or self.checks).items() if answer["status"] in statuses]

    @property
    def slow(self) -> list[str]:
        """The operations that used the slow fallback."""
        return sorted({each for answer in self.checks.values() for each in answer.get("slow", ())})

    @property
    def remedies(self) -> list[dict[str, Any]]:
        """The suggested fixes, each with the checks that it applies to."""
        held = [*self.model["holds"], *(f"draws from {each}" for each in self.model.get("draws", ()))]
        return suggest_fixes(self.checks | self.cost, held)

    @property
    def uses(self) -> list[dict[str, Any]]:
        """The answer for each use; see `uses.answer_uses`."""
        return answer_uses(self.checks)

    @property
    def caveats(self) -> list[dict[str, Any]]:
        """Known failures of this torch, failures that the options accept, and members that are equal.

        Each is {"id", "text", "checks", "accepted"}; "id" is None for what is no known failure.
        """
        rows: dict[str, dict[str, Any]] = {}
        for name, answer in self.checks.items():
            known, accepted = answer.get("known"), self._is_accepted(name, answer)
            is_failure = answer["status"] in FAILED and (known or accepted)
            if is_failure or (name == "members" and answer["status"] == "right" and answer["message"]):
                text = caveat_text(known, answer["message"])
                rows.setdefault(known or name, {"id": known, "text": text, "checks": [], "accepted": accepted})
                rows[known or name]["checks"].append(name)
        return list(rows.values())

    @property
    def refused(self) -> list[str]:
        """The checks that are refused and not accepted."""
        names = self.ended("refused", "refused unclearly")
        return [name for name in names if not self._is_accepted(name, self.checks[name])]

    def _is_accepted(self, name: str, answer: Mapping[str, Any]) -> bool:
        return name in self.request.accept or answer.get("known") in self.request.accept

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit code and the verdict."""
        unanswered = self.plain_failure
        if unanswered is not None:
            return USAGE_ERROR, f"NO ANSWER: {unanswered}"
        bad = self._bad
        if bad:
            return WRONG, "; ".join(bad)
        if self._is_refused_altogether:
            return WRONG, f"CAN'T BE ENSEMBLED: {self.request.implementation} refuses"
        accepted = [name for name, answer in self.checks.items() if self._is_accepted(name, answer)]
        lacking = refused_uses(self.uses, self.request.uses, accepted)
        if lacking:
            able = ", ".join(
                each["title"] for each in self.uses if each["answer"] in POSITIVE and each["use"] != "draws"
            )
            return WRONG, f"NOT FOR {', '.join(lacking)}" + (f"; right for {able}" if able else "")
        return self._positive_verdict

    @property
    def plain_failure(self) -> str | None:
        """The reason why the model does not run by itself, or None."""
        asked = [self.checks[name] for name in FORWARDS if name in self.checks]
        if asked and all(answer["status"] == "not applicable" for answer in asked):
            return str(asked[0]["message"])
        return None

    @property
    def _bad(self) -> list[str]:
        """Results that make every use negative: each word of the verdict with the names of its steps."""
        every = self.checks | self.cost
        wrong = [
            name
            for name in self.ended("wrong")
            if not self.checks[name].get("known") and not self._is_accepted(name, self.checks[name])
        ]
        # A timing is no matter of right and wrong, but one that ends the process or is not asked leaves no answer.
        found = [
            ("WRONG", wrong),
            ("CRASHES", self.ended("crash", among=every)),
            ("NOT ASKED", self.ended("not asked", among=every)),
        ]
        return [f"{word}: {', '.join(names)}" for word, names in found if names]

    @property
    def _is_refused_altogether(self) -> bool:
        is_any = any(each["answer"] in POSITIVE for each in self.uses if each["use"] != "draws")
        return not is_any and not set(FORWARDS).isdisjoint(self.refused)

    @property
    def _positive_verdict(self) -> tuple[int, str]:
        caveats = [row["id"] or row["checks"][0] for row in self.caveats]
        refused = self.refused
        text = f"RIGHT, WITH CAVEATS: {', '.join(caveats)}" if caveats else "RIGHT"
        text += f"; refused: {', '.join(refused)}" if refused else ""
        serious = bool(refused) or any(not row["accepted"] for row in self.caveats)
        return (WRONG if self.request.strict and serious else RIGHT), text

    def data(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        code, verdict = self.verdict
        return {
            "schema": SCHEMA,
            "request": asdict(self.request),
            "environment": self.environment,
            "model": self.model,
            "checks": self.checks,
            "cost": self.cost,
            "slow": self.slow,
            "remedies": self.remedies,
            "uses": self.uses,
            "caveats": self.caveats,
            "verdict": verdict,
            "exit_code": code,
        } | ({SNIPPET: self.snippet} if self.snippet else {})
