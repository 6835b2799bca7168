
"use strict";
// Without this script everything can be read; with it, clauses open on a click and can be narrowed down.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  document.documentElement.classList.add("js");

  const clauses = all("tbody.clause").map((body) => {
    const detail = body.querySelector(".detail");
    const label = body.querySelector(".toggle");
    const button = document.createElement("button");
    button.type = "button";
    button.className = label.className;
    button.setAttribute("aria-controls", detail.id);
    button.append(...label.childNodes);
    label.replaceWith(button);
    detail.querySelector("details").open = true;
    const clause = {
      body,
      text: body.textContent.toLowerCase(),
      outcomes: body.dataset.outcomes.split(" "),
      show(open) {
        detail.hidden = !open;
        button.setAttribute("aria-expanded", String(open));
      },
    };
    clause.show(false);
    body.rows[0].addEventListener("click", (event) => {
      // A text that was just selected is to be copied.
      if (button.contains(event.target) || getSelection().isCollapsed) clause.show(detail.hidden);
    });
    return clause;
  });

  for (const pre of all(".script pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      button.textContent = (await copied(pre)) ? "Copied" : "Selected: copy it with the keyboard";
    });
    pre.after(button);
  }

  async function copied(pre) {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(pre);
      return false;
    }
  }

  const form = document.querySelector("form");
  if (!form) return;
  const search = form.querySelector("#search");
  const shown = form.querySelector("#shown");
  const switches = all("[data-filter]", form);
  form.hidden = false;

  const pressed = (kind) =>
    switches
      .filter((one) => one.dataset.filter === kind && one.getAttribute("aria-pressed") === "true")
      .map((one) => one.dataset.value);

  function narrow() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcomes = pressed("outcome");
    const levels = pressed("level");
    const groups = new Set();
    let number = 0;
    for (const { body, text, outcomes: has } of clauses) {
      const fits =
        words.every((word) => text.includes(word)) &&
        (!outcomes.length || outcomes.some((outcome) => has.includes(outcome))) &&
        (!levels.length || levels.includes(body.dataset.level));
      body.hidden = !fits;
      if (fits) {
        number += 1;
        groups.add(body.dataset.group);
      }
    }
    for (const group of all("tbody.group")) group.hidden = !groups.has(group.dataset.group);
    shown.textContent = `${number} of ${clauses.length} clauses`;
  }

  function everything() {
    search.value = "";
    for (const one of switches) one.setAttribute("aria-pressed", "false");
    narrow();
  }

  for (const one of switches) {
    one.addEventListener("click", () => {
      one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
      narrow();
    });
  }
  search.addEventListener("input", narrow);
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    everything();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("#open").addEventListener("click", () => {
    for (const clause of clauses) if (!clause.body.hidden) clause.show(true);
  });
  form.querySelector("#close").addEventListener("click", () => {
    for (const clause of clauses) clause.show(false);
  });

  // A link to a clause opens it, also where the filter hides it.
  function follow() {
    const clause = clauses.find(({ body }) => `#${body.id}` === location.hash);
    if (!clause) return;
    if (clause.body.hidden) everything();
    clause.show(true);
    clause.body.querySelector("button.toggle").focus({ preventScroll: true });
    clause.body.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  narrow();
  follow();
})();
