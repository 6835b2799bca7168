
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

  // Calls and scripts are packed: JSON, deflated, in Base64.
  async function unpack() {
    const text = atob(document.getElementById("packed").textContent);
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const parts = JSON.parse(await new Response(stream).text());
    for (const place of all("[data-part]")) {
      const part = parts[Number(place.dataset.part)];
      if (typeof part === "string") place.textContent = part;
      else place.append(...part.map((one) => (typeof one === "string" ? line(one) : finding(one))));
    }
    for (const clause of clauses) clause.text = clause.body.textContent.toLowerCase();
    document.documentElement.classList.add("unpacked");
  }

  function made(name, kind, ...content) {
    const element = document.createElement(name);
    if (kind) element.className = kind;
    element.append(...content);
    return element;
  }

  const line = (text) => made("li", "", made("code", "", text));

  function finding([words, remark, expected, seen, heading, ...calls]) {
    const facts = Object.entries({ Expected: expected, Seen: seen });
    const told = facts.flatMap(([term, text]) => [made("dt", "", term), made("dd", "", text)]);
    return made(
      "section",
      "finding",
      made("h4", "", words),
      ...(remark ? [made("p", "", remark)] : []),
      made("dl", "seen", ...told),
      ...(calls.length
        ? [made("details", "calls", made("summary", "", heading), made("ol", "", ...calls.map(line)))]
        : []),
    );
  }

  const unpacked = unpack();

  async function copied(pre) {
    try {
      await unpacked;
      await navigator.clipboard.writeText(pre.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(pre);
      return false;
    }
  }

  // Groups of clauses that are kept are folded, until somebody opens them or looks for something.
  const folded = new Set();
  const groups = all("tbody.group").map((body) => {
    const name = body.dataset.group;
    const label = body.querySelector(".toggle-group");
    if (!Number(body.dataset.folded)) return { body, name, show() {} };
    const button = document.createElement("button");
    button.type = "button";
    button.append(...label.childNodes);
    label.replaceWith(button);
    const count = document.createElement("span");
    count.className = "count";
    button.parentElement.append(count);
    folded.add(name);
    const show = (open) => {
      if (open) folded.delete(name);
      else folded.add(name);
      button.setAttribute("aria-expanded", String(open));
      count.textContent = open ? "" : ` (${body.dataset.folded} folded)`;
    };
    show(false);
    button.addEventListener("click", () => {
      show(folded.has(name));
      narrow();
    });
    return { body, name, show };
  });

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
    const narrowed = words.length + outcomes.length + levels.length > 0;
    const occurring = new Set();
    let number = 0;
    for (const { body, text, outcomes: has } of clauses) {
      const fits =
        words.every((word) => text.includes(word)) &&
        (!outcomes.length || outcomes.some((outcome) => has.includes(outcome))) &&
        (!levels.length || levels.includes(body.dataset.level));
      body.hidden = !fits || (!narrowed && folded.has(body.dataset.group));
      if (fits) {
        number += 1;
        occurring.add(body.dataset.group);
      }
    }
    for (const { body, name } of groups) body.hidden = narrowed && !occurring.has(name);
    shown.textContent = `${number} of ${clauses.length} clauses`;
  }

  function unfold(open) {
    for (const group of groups) group.show(open);
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
    unfold(true);
    everything();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("#open").addEventListener("click", () => {
    unfold(true);
    narrow();
    for (const clause of clauses) if (!clause.body.hidden) clause.show(true);
  });
  form.querySelector("#close").addEventListener("click", () => {
    for (const clause of clauses) clause.show(false);
    unfold(false);
    narrow();
  });

  // A link to a clause opens it, also where the filter hides it.
  function follow() {
    const clause = clauses.find(({ body }) => `#${body.id}` === location.hash);
    if (!clause) return;
    if (clause.body.hidden) {
      groups.find(({ name }) => name === clause.body.dataset.group)?.show(true);
      everything();
    }
    clause.show(true);
    clause.body.querySelector("button.toggle").focus({ preventScroll: true });
    clause.body.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  narrow();
  follow();
})();
