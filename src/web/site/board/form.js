// Fields of forms: a label, a control, and what is wrong with it.

import { h } from "./core.js";

let last = 0;

/**
 * A control, or a list of rows, with its label above it. `hint` explains it, `beside` follows on
 * the same line, and `code` is the name of the option in userpresence.conf.
 */
export function field(label, control, { hint, beside, code, wrong = "" } = {}) {
  const isList = control.matches("ol");
  const inputs = control.matches("div") ? [...control.children] : [control];
  const [input] = inputs;
  const id = (input.id ||= `field-${++last}`);
  // Three parts, whose heights neighbours share.
  const below = [hint && h("p", { class: "hint", id: `${id}-hint` }, hint), h("p", { class: "error", id: `${id}-error` })];
  const parts = [h("div", { class: "line" }, control, beside), h("div", {}, below)];
  for (const it of inputs) it.setAttribute("aria-describedby", hint ? `${id}-hint ${id}-error` : `${id}-error`);
  const name = [label, code && [" ", h("code", {}, code)]].flat();
  const element = isList ? h("fieldset", { class: "field" }, h("legend", {}, name), parts) : h("div", { class: "field" }, h("label", { for: id }, name), parts);
  fault(control, wrong);
  return element;
}

/** Says at a field, by its control, what is wrong with it; without a text, that nothing is. */
export function fault(control, text = "") {
  const all = control.matches("div") ? [...control.children] : control.matches("ol") ? [] : [control];
  for (const it of all) {
    if (text) it.setAttribute("aria-invalid", "true");
    else it.removeAttribute("aria-invalid");
  }
  const error = control.closest(".field")?.querySelector(".error");
  if (error) error.textContent = text;
}

/** A choice; each of `options` is [value, text], or [value, text, true] for one that is disabled. */
export function choice(options, value, attributes = {}) {
  const select = h("select", attributes, options.map(([value, text, disabled]) => h("option", { value, disabled }, text)));
  select.value = value;
  return select;
}
