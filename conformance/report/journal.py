"""How far a run came that did not end: a line of JSON for what was asked, for each test that began, and what it found.

The file lies beside the result file while the suite runs, and only a process that died leaves it behind.
``python -m conformance.report.journal conformance-result.json.partial`` says what is in it.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from conformance.report.results import Finding, Status


class Journal:
    """Writes each line when it happens, so that it stands there whatever happens next."""

    def __init__(self, result: Path, options: Mapping[str, Any]) -> None:
        self.result = result
        self.path = result.with_name(f"{result.name}.partial")
        self.options = options
        self.file: IO[str] | None = None

    def began(self, test: str) -> None:
        self._write({"began": test})

    def found(self, test: str, finding: Finding) -> None:
        self._write({"test": test, **asdict(finding)})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.file is None:
            # Now a run begins. If it dies, what an earlier one found must not be taken for its result.
            self.result.unlink(missing_ok=True)
            self.file = self.path.open("w", encoding="utf-8", buffering=1)
            self._write({"options": self.options})
        self.file.write(f"{json.dumps(line)}\n")

    def end(self) -> None:
        """The run has ended and says itself what it found."""
        if self.file is not None:
            self.file.close()
            self.path.unlink()


def journal_lines(text: str) -> list[str]:
    """What a journal says, for people: which tests were running at the end, and what the others had come to."""
    # A process that dies while it writes leaves half a line.
    events = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    found = {event["test"]: event for event in events if "test" in event}
    running = [event["began"] for event in events if "began" in event and event["began"] not in found]
    count = Counter(event["status"] for event in found.values())
    return [
        *(f"FAILS {test}: {each['message']}" for test, each in found.items() if each["status"] == Status.FAILS),
        *(f"DIED in {test}" for test in running),
        "NO VERDICT: the run did not end; " + ", ".join(f"{count[status]} {status}" for status in Status),
    ]


def main(path: str) -> None:
    sys.stdout.write("\n".join([*journal_lines(Path(path).read_text(encoding="utf-8")), ""]))


if __name__ == "__main__":
    main(sys.argv[1])
