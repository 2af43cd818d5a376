"""Does the page work in a browser: without an error, without a network, on a phone, in the dark, by keyboard alone?"""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from results import MUST, SHOULD, case, result

from conformance.report import releases as recorded_releases
from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step
from conformance.spec.requirements import Requirement

PHONE = {"width": 360, "height": 740}
SHAKY = Requirement("stacking.c", "limitation", "It shakes.", "docs")
SPEC = {each.id: each for each in (MUST, SHOULD, SHAKY)}
OLD = (case("conforms"), case("conforms", "test_b", requirement=SHOULD, dtype="float32", budget_share=0.5))
NEW = (
    case("fails", message="off by 3.1", layer="vmap", script="print('by torch alone')", budget_share=2.0),
    case("known failure", "test_b", requirement=SHOULD, message="a reason", dtype="float32"),
    case("not applicable", "test_c", requirement=SHAKY, message="no such device"),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page of two results, of which the second fails."""
    results = [result(*OLD, torch="2.12.1", spec=SPEC), result(*NEW, spec=SPEC)]
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html_page.render_page(results, [make_diff_step(*results)]), encoding="utf-8")
    return path


@pytest.fixture
def page(visit, file):
    with visit(file) as opened:
        yield opened


def names(page):
    """The requirements that can be seen."""
    return page.locator(".line:visible button").all_inner_texts()


def button(page, name):
    return page.locator(f"[id='{name}'] button")


def test_it_opens_with_what_fails_in_sight(page):
    assert page.title() == "Ensemble conformance: 2.12.1 cpu, 2.13.0 cpu"
    assert names(page) == ["a"]
    expect(page.get_by_text("CHANGED: 1 regressed")).to_be_visible()


def test_a_requirement_opens_to_its_message_and_commands(page):
    message = page.get_by_text("off by 3.1", exact=True)
    expect(message).to_be_hidden()

    button(page, "forward.a").click()

    expect(message).to_be_visible()
    expect(button(page, "forward.a")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("code", has_text="--requirement forward.a")).to_be_visible()
    script = page.get_by_text("print('by torch alone')")
    expect(script).to_be_hidden()
    page.get_by_text("Reproducer that needs torch alone").click()
    expect(script).to_be_visible()

    button(page, "forward.a").click()
    expect(message).to_be_hidden()


@pytest.mark.parametrize(
    ("word", "left"),
    [("stack", ["b", "c"]), ("FORWARD", ["a"]), ("shakes", ["c"]), ("stacking helps", ["b"]), ("abacus", [])],
)
def test_words_find_requirements_by_id_and_wording(page, word, left):
    page.get_by_label("Find a requirement").fill(word)

    assert names(page) == left
    expect(page.get_by_role("status")).to_have_text(f"{len(left)} of 3 requirements")
    expect(page.locator("#none")).to_be_visible(visible=not left)


@pytest.mark.parametrize(
    ("unchecked", "left"),
    [
        (["conforms"], ["a", "b", "c"]),
        (["fails", "conforms"], ["b", "c"]),
        (["conforms", "not run", "not applicable", "known failure"], ["a"]),
        (["must"], ["b", "c"]),
        (["limitation", "should"], ["a"]),
    ],
    ids=str,
)
def test_statuses_and_levels_filter(page, unchecked, left):
    for name in unchecked:
        page.locator(f"input[value='{name}']").uncheck()

    assert names(page) == left


def test_only_what_differs_is_left(visit, tmp_path):
    results = [result(*OLD, torch="2.12.1"), result(OLD[0], *NEW[1:2])]
    file = tmp_path / "page.html"
    file.write_text(html_page.render_page(results), encoding="utf-8")

    with visit(file) as page:
        page.get_by_label("only rows that differ between results").check()

        assert names(page) == ["b"]


def test_everything_is_shown_again(page):
    find = page.get_by_label("Find a requirement")
    for again in (lambda: page.get_by_role("button", name="Reset filters").click(), lambda: find.press("Escape")):
        find.fill("stack")
        page.locator("input[value='must']").uncheck()

        again()

        expect(page.get_by_role("status")).to_have_text("3 of 3 requirements")
        expect(find).to_have_value("")
        expect(page.locator("input[value='must']")).to_be_checked()


def test_all_chapters_open_and_close(page):
    page.get_by_role("button", name="Open all chapters").click()
    assert names(page) == ["a", "b", "c"]

    page.get_by_role("button", name="Close all").click()
    assert names(page) == []


def test_it_is_read_by_keyboard_alone(page):
    find = page.get_by_label("Find a requirement")
    page.keyboard.press("/")
    expect(find).to_be_focused()
    page.keyboard.type("stack/")
    expect(find).to_have_value("stack/")
    page.keyboard.press("Backspace")

    button(page, "stacking.b").focus()
    page.keyboard.press("ArrowDown")
    expect(button(page, "stacking.c")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("no such device")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(button(page, "stacking.b")).to_be_focused()


@pytest.mark.parametrize("address", ["#stacking.c", "#stacking%2Ec"])
def test_an_address_leads_to_a_requirement(visit, file, address):
    with visit(file, address) as page:
        expect(page.get_by_text("no such device")).to_be_in_viewport()


@pytest.mark.parametrize("address", ["#nowhere", "#%", "#<b>", "#filter"])
def test_an_address_that_leads_nowhere_does_no_harm(visit, file, address):
    with visit(file, address) as page:
        assert names(page) == ["a"]


def test_what_changed_leads_to_its_requirement(page):
    page.locator("#changes").get_by_role("link", name="stacking.b").click()

    expect(page.get_by_text("a reason", exact=True)).to_be_in_viewport()


def test_without_scripts_all_can_be_opened(visit, file):
    with visit(file, java_script_enabled=False) as page:
        page.locator("#chapter-stacking summary").first.click()

        expect(page.get_by_text("a reason", exact=True)).to_be_visible()
        expect(page.locator("#filter")).to_be_hidden()


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """A page of real results, of two releases."""
    results = recorded_releases.read_results(["2.8", "2.15"])
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(html_page.render_page(results, [make_diff_step(*results)]), encoding="utf-8")
    return path


def assert_accessible(page):
    page.get_by_role("button", name="Open all chapters").click()
    page.locator(".line[data-statuses*='known'] button").first.click()

    found = Axe().run(page)

    assert found.response["violations"] == [], found.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(visit, file, scheme):
    with visit(file, color_scheme=scheme) as page:
        assert_accessible(page)


# It has no colour that the small page has not, and takes half a minute.
def test_a_page_of_releases_is_accessible(visit, releases):
    with visit(releases) as page:
        assert_accessible(page)


def test_a_page_of_releases_is_read_on_a_phone(visit, releases):
    with visit(releases, viewport=PHONE) as page:
        page.get_by_role("button", name="Open all chapters").click()
        page.locator(".line button").first.click()

        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_paper_has_all_chapters(page):
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert names(page) == ["a", "b", "c"]
    expect(page.locator("#filter")).to_be_hidden()


def test_colours_follow_the_readers_choice(visit, file):
    backgrounds = []
    for scheme in ("light", "dark"):
        with visit(file, color_scheme=scheme) as page:
            backgrounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert backgrounds == ["rgb(255, 255, 255)", "rgb(15, 19, 24)"]
