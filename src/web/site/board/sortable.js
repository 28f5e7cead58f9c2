// A list that people put in order: by dragging, by the buttons of each item, or by the arrow
// keys on these buttons.

import { h, say, t } from "./core.js";

/**
 * The list. Each of `items` is { key, text }; one with `heading` stays between the others as the
 * title of those below it. `changed` gets the items after each move.
 */
export function sortable(items, { label, changed, disabled = false }) {
  const list = h("ol", { class: "sortable", "aria-label": label });
  const rows = new Map();
  for (const item of items) rows.set(row(item), item);
  list.append(...rows.keys());
  ends();

  function row(item) {
    if (item.heading) return h("li", { class: "heading" }, item.text);
    const button = (step, sign, name) =>
      h("button", { type: "button", class: "quiet", "aria-label": t(name, { item: item.text }), disabled, onclick: () => step_by(element, step), onkeydown: pressed }, sign);
    const pressed = (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      step_by(element, step);
    };
    const element = h(
      "li",
      { "data-key": item.key, class: disabled && "disabled" },
      h("span", { class: "grip", "aria-hidden": true }),
      h("span", { class: "text" }, item.text),
      button(-1, "↑", "settings.up"),
      button(1, "↓", "settings.down"),
    );
    return element;
  }

  /** The first row never moves if it is a heading: nothing is above it. */
  function first() {
    return rows.get(list.firstElementChild).heading ? 1 : 0;
  }

  function step_by(element, step) {
    const focused = document.activeElement;
    const at = [...list.children].indexOf(element) + step;
    if (at < first() || at >= list.children.length) return;
    if (step < 0) list.children[at].before(element);
    else list.children[at].after(element);
    focused.focus();
    moved(element);
  }

  /** A button that leads nowhere keeps the focus, so it is not disabled. */
  function ends() {
    const all = [...list.children];
    for (const [at, element] of all.entries()) {
      const [up, down] = element.querySelectorAll("button");
      up?.setAttribute("aria-disabled", at <= first());
      down?.setAttribute("aria-disabled", at === all.length - 1);
    }
  }

  function moved(element) {
    ends();
    const all = [...list.children];
    let at = all.indexOf(element);
    const place = all.slice(0, at).reverse().findIndex((it) => rows.get(it).heading);
    const group = place < 0 ? null : rows.get(all[at - place - 1]).text;
    const count = all.filter((it) => !rows.get(it).heading).length;
    at = all.slice(0, at + 1).filter((it) => !rows.get(it).heading).length;
    const values = { item: rows.get(element).text, group, at, count };
    say(t(group ? "settings.movedTo" : "settings.moved", values));
    changed(all.map((it) => rows.get(it)));
  }

  // The list catches the pointer, not the item: an element that moves in the document loses it.
  let drag = null;
  list.addEventListener("pointerdown", (event) => {
    const element = event.target.closest("li[data-key]");
    const byFinger = event.pointerType === "touch" && !event.target.closest(".grip");
    if (disabled || !element || event.button || byFinger || event.target.closest("button")) return;
    event.preventDefault();
    list.setPointerCapture(event.pointerId);
    drag = { element, before: [...list.children] };
    element.classList.add("dragged");
  });
  list.addEventListener("pointermove", ({ clientY }) => {
    if (!drag) return;
    const middle = (it) => it.getBoundingClientRect().top + it.offsetHeight / 2;
    const rest = [...list.children].slice(first()).filter((it) => it !== drag.element);
    const next = rest.find((it) => clientY < middle(it));
    if (next ? next.previousElementSibling !== drag.element : list.lastElementChild !== drag.element) list.insertBefore(drag.element, next ?? null);
  });
  const drop = (keep) => {
    if (!drag) return;
    const { element, before } = drag;
    drag = null;
    element.classList.remove("dragged");
    if (!keep) list.replaceChildren(...before);
    else if (before.some((it, at) => it !== list.children[at])) moved(element);
  };
  list.addEventListener("pointerup", () => drop(true));
  list.addEventListener("lostpointercapture", () => drop(false));
  list.addEventListener("keydown", ({ key }) => key === "Escape" && drop(false));
  return list;
}
