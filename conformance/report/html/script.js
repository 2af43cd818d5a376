// Opens, closes and filters requirements. Without JavaScript all requirements are shown open.
"use strict";
{
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const form = one("filter");
  const matrix = one("matrix");
  const words = one("words");
  const differs = one("differs");
  const chapters = all(".chapter");
  const lines = all(".line").map((row) => ({
    row,
    chapter: row.closest(".chapter"),
    button: row.querySelector("button"),
    text: `${row.id} ${row.dataset.text}`.toLowerCase(),
    statuses: row.dataset.statuses.split("|"),
    level: row.dataset.level,
    differs: "differs" in row.dataset,
  }));

  function open(row, wanted) {
    row.querySelector("button").setAttribute("aria-expanded", wanted);
    row.nextElementSibling.classList.toggle("open", wanted);
  }

  function checked(name) {
    const boxes = all(`input[name=${name}]`, form);
    return { some: new Set(boxes.filter((box) => box.checked).map((box) => box.value)), all: boxes.every((box) => box.checked) };
  }

  function filter() {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = checked("status");
    const level = checked("level");
    const active = asked.length > 0 || !status.all || !level.all || Boolean(differs?.checked);
    const counts = new Map(chapters.map((chapter) => [chapter, 0]));
    let shown = 0;
    for (const line of lines) {
      // A status or level of another version of the suite has no checkbox: its line is shown unless a box is unchecked.
      const found =
        asked.every((word) => line.text.includes(word)) &&
        (status.all || line.statuses.some((each) => status.some.has(each))) &&
        (level.all || level.some.has(line.level)) &&
        (!differs?.checked || line.differs);
      line.row.classList.toggle("found", found);
      if (found) {
        shown += 1;
        counts.set(line.chapter, counts.get(line.chapter) + 1);
      }
    }
    matrix.classList.toggle("active", active);
    for (const chapter of chapters) {
      const total = all(".line", chapter).length;
      const count = counts.get(chapter);
      chapter.classList.toggle("found", count > 0);
      if (active && count > 0) chapter.open = true;
      chapter.querySelector(".shown").textContent = active ? `${count} of ${total}` : `${total}`;
    }
    one("none").hidden = shown > 0;
    one("shown").textContent = `${shown} of ${lines.length} requirements`;
  }

  function reset() {
    form.reset();
    filter();
  }

  function follow() {
    // The fragment is untrusted: it names an element or nothing.
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {
      return;
    }
    const target = one(name);
    if (target?.matches(".chapter")) target.open = true;
    if (target?.matches(".line")) {
      target.closest(".chapter").open = true;
      open(target, true);
      target.scrollIntoView();
    }
  }

  function move(event, step) {
    const shown = lines.filter((line) => line.button.checkVisibility());
    const here = shown.findIndex((line) => line.button === document.activeElement);
    if (here < 0) return;
    event.preventDefault();
    shown[Math.min(Math.max(here + step, 0), shown.length - 1)].button.focus();
  }

  for (const { row, button } of lines) {
    open(row, false);
    button.addEventListener("click", () => open(row, button.getAttribute("aria-expanded") !== "true"));
  }
  document.documentElement.classList.add("live");
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  one("open").addEventListener("click", () => chapters.forEach((chapter) => (chapter.open = true)));
  one("close").addEventListener("click", () => {
    chapters.forEach((chapter) => (chapter.open = false));
    lines.forEach((line) => open(line.row, false));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !event.target.matches("input")) {
      event.preventDefault();
      matrix.scrollIntoView();
      words.focus();
    } else if (event.key === "Escape") {
      reset();
    } else if (event.key === "ArrowDown") {
      move(event, 1);
    } else if (event.key === "ArrowUp") {
      move(event, -1);
    }
  });
  // Print all chapters, with the requirements that the reader has opened.
  addEventListener("beforeprint", () => chapters.forEach((chapter) => (chapter.open = true)));
  addEventListener("hashchange", follow);
  filter();
  follow();
}
