// Fields of forms: a label, a control, and what is wrong with it.

import { h } from "./core.js";

let last = 0;

/**
 * A control with its label above it. `hint` explains it, `beside` follows it on the same line,
 * and `code` is the name of the option in userpresence.conf.
 */
export function field(label, control, { hint, beside, code } = {}) {
  const input = control.matches("input, select, textarea, ol") ? control : control.querySelector("input, select, textarea");
  const id = (input.id ||= `field-${++last}`);
  const told = hint && h("p", { class: "hint", id: `${id}-hint` }, hint);
  input.setAttribute("aria-describedby", told ? `${id}-hint ${id}-error` : `${id}-error`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label, code && h("code", {}, code)),
    h("div", { class: "line" }, control, beside),
    told,
    h("p", { class: "error", id: `${id}-error` }),
  );
}

/** Says at a field what is wrong with it; without a text, that nothing is. */
export function fault(input, text = "") {
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  input.closest(".field").querySelector(".error").textContent = text;
}

/** A choice; each of `options` is [value, text] or [value, text, true] for one that is disabled. */
export function choice(options, value, attributes = {}) {
  const select = h("select", attributes);
  select.append(...options.map(([value, text, disabled]) => h("option", { value, disabled }, text)));
  select.value = value;
  return select;
}
