"""Does a message about an unknown name list the valid ones and offer the nearest?"""

import pytest

from conformance.utils.suggestions import MAX_CHOICES, did_you_mean, invalid_choice

PROFILES = ("core", "full", "certify")


@pytest.mark.parametrize(
    ("name", "said"), [("ful", "; did you mean 'full'?"), ("certfy", "; did you mean 'certify'?"), ("quick", "")]
)
def test_the_nearest_name_is_offered(name, said):
    assert did_you_mean(name, PROFILES) == said


def test_few_choices_are_listed():
    assert invalid_choice("quick", PROFILES) == "invalid choice 'quick' (choose from core, full, certify)"
    assert invalid_choice("cor", PROFILES).endswith("certify); did you mean 'core'?")


def test_many_choices_are_not_listed():
    names = [f"name{i}" for i in range(MAX_CHOICES + 1)]

    assert invalid_choice("name", names) == "invalid choice 'name'; did you mean 'name9'?"
    assert invalid_choice("other", names) == "invalid choice 'other'"
