"""The report of a check: its results, suggested fixes and verdict, as ``--json`` prints them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from conformance.model_check.options import Request
from conformance.model_check.remedies import Remedy, load_remedies

SCHEMA = 1
FORWARD = "own_minibatch"
COSTS = ("speed_forward", "speed_backward")
SNIPPET = "snippet"
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
        problem = facts["problem"]
        self.checks["members"] = {"status": "wrong" if problem else "right", "message": problem or "", "slow": []}

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
        rows = [{"name": row.name, "advice": row.advice, "checks": list(self._fitting(row))} for row in load_remedies()]
        return [row for row in rows if row["checks"]]

    def _fitting(self, row: Remedy) -> Iterable[str]:
        for name, answer in (self.checks | self.cost).items():
            if row.fits(name, answer["status"], answer["message"], self.model["holds"]):
                yield name

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit code and the verdict."""
        plain = self.checks[FORWARD]
        if plain["status"] == "not applicable":
            return USAGE_ERROR, f"NO ANSWER: {plain['message']}"
        # A timing is no matter of right and wrong, but one that ends the process or is not asked leaves no answer.
        found = [
            ("WRONG", self.ended("wrong")),
            ("CRASHES", self.ended("crash", among=self.checks | self.cost)),
            ("NOT ASKED", self.ended("not asked", among=self.checks | self.cost)),
        ]
        bad = [f"{word}: {', '.join(names)}" for word, names in found if names]
        if bad:
            return WRONG, "; ".join(bad)
        refused = self.ended("refused", "refused unclearly")
        if FORWARD in refused:
            return WRONG, f"CAN'T BE ENSEMBLED: {self.request.implementation} refuses"
        if refused:
            return RIGHT, f"RIGHT, as far as it is not refused: {', '.join(refused)}"
        return RIGHT, "RIGHT"

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
            "verdict": verdict,
            "exit_code": code,
        } | ({SNIPPET: self.snippet} if self.snippet else {})
