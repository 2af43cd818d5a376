"""The meaning of each step of a check: the requirement that it is about, or a text of this module's own."""

from types import MappingProxyType

from conformance.spec.requirements import load_requirements

CHAPTER = "modules"
# The steps that no requirement of the suite is about.
OWN_TEXTS = MappingProxyType(
    {
        "members": "The factory makes members that differ: equal ones would prove nothing.",
        "conversion": "A copy of the model in float64 gives what the model gives; if not, the checks use it as it is.",
        "own_dtype": "In its own dtypes the ensemble gives the same output dtypes, and equal numbers up to rounding.",
        "one_base": "The members are alike in what is no parameter and no buffer: member 0's counts for all of them.",
        "second_call": "A second call of the ensemble gives what a second call of each member gives.",
        "leftovers": "A call leaves no tensor in the model that torch refuses to use afterwards.",
        "chunks": "With chunk_size=2 the ensemble gives the same outputs.",
        "other_stack": "A function that has run with one ensemble's state is right with another one's.",
        "base_alone": "The base module runs by itself before and after a call of the ensemble, and changes nothing.",
        "speed_forward": "The time and the memory of forward: one call of the ensemble, and a loop over the members.",
        "speed_backward": "The same for forward and backward together, for the gradients of the parameters.",
        "snippet": "The code that ensembles the model runs, on this model and inputs like these.",
        "exit": "The process that ran the checks ends as Python does.",
    }
)


def explain_step(step: str) -> str:
    """Return what a step is about; an empty string if nothing is known of it."""
    requirement = load_requirements().get(f"{CHAPTER}.{step}")
    return requirement.text if requirement else OWN_TEXTS.get(step, "")


def explained_steps() -> dict[str, str]:
    """Return the texts of all steps by name: the requirements of the chapter, and the others."""
    texts = {
        each.id.removeprefix(f"{CHAPTER}."): each.text
        for each in load_requirements().values()
        if each.chapter == CHAPTER and each.level == "must"
    }
    return {"members": OWN_TEXTS["members"], **texts, **OWN_TEXTS}
