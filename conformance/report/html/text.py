"""The texts of a page: escaped, and together no longer than browsers can open."""

from typing import Any

from conformance.utils.text import escape_unprintable

# Characters of one text, until the page has so many: the texts of a broken device are long, and there are many.
LIMITS = {16_000_000: 20_000, 24_000_000: 500, 32_000_000: 100}
LAST = 30


class TextBudget:
    """The characters that the texts of one page take, escaped."""

    def __init__(self) -> None:
        self.spent = 0

    def display(self, value: Any) -> Any:
        """Return text for a page: cut, if it is long, with unprintable characters spelled out. Markup is kept."""
        if not isinstance(value, str) or hasattr(value, "__html__"):
            return value
        from markupsafe import escape

        limit = next((limit for spent, limit in LIMITS.items() if self.spent < spent), LAST)
        if len(value) > limit:
            value = f"{value[:limit]}\n[and {len(value) - limit} more characters]"
        if not value.isprintable():
            value = "\n".join(map(escape_unprintable, value.expandtabs(4).split("\n")))
        shown = escape(value)
        self.spent += len(shown)
        return shown
