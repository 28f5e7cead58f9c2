// What every view uses: elements, strings in the chosen language, and requests.

export const $ = (id) => document.getElementById(id);

export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element. An attribute whose name begins with "on" is an event handler; true, false and
 * null set or leave out an attribute. Children that are no elements become text, never HTML.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Announces a text to screen readers, even if it is the same as the last one. */
export function say(text) {
  $("announcement").textContent = text;
}

/**
 * Says at a field what is wrong with it, for eyes and screen readers, and moves the focus there.
 * Without a text, the field is right again. The field needs an id.
 */
export function complain(field, text = "") {
  const id = `${field.id}-wrong`;
  let wrong = $(id);
  if (!wrong && text) (field.closest("label") ?? field).after((wrong = h("p", { id, class: "error" })));
  if (wrong) set(wrong, text);
  const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((it) => it && it !== id);
  if (text) others.push(id);
  if (others.length) field.setAttribute("aria-describedby", others.join(" "));
  else field.removeAttribute("aria-describedby");
  if (!text) return field.removeAttribute("aria-invalid");
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

/** What this browser keeps for the person who is logged in. */
export const kept = {
  who: "",
  get(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`userpresence ${this.who} ${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`userpresence ${this.who} ${key}`, JSON.stringify(value));
    } catch {
      // A browser that keeps nothing forgets it with the page.
    }
  },
};

// --- language ----------------------------------------------------------------

const LANGUAGES = ["en", "de", "fr", "es", "pt", "it"];

/** The first of the browser's languages in which there are strings, with its region: "de-AT". */
export const locale = navigator.languages.find((it) => LANGUAGES.includes(it.slice(0, 2).toLowerCase())) ?? "en";
export const language = locale.slice(0, 2).toLowerCase();

/** A length of time in words: "45 minutes", "2 hours". */
export function minutes(count) {
  const [unit, number] = count > 0 && count % 60 === 0 ? ["hour", count / 60] : ["minute", count];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(number);
}

let strings = {};

/** The string of strings.json with that key; {name} becomes values.name. */
export function t(key, values) {
  const text = strings[key] ?? key;
  return values ? text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : text;
}

/** Loads the strings, and fills in those of the page. */
export async function translate() {
  strings = await (await fetch(`strings-${language}.json`)).json();
  document.documentElement.lang = language;
  fill(document);
  for (const template of document.querySelectorAll("template")) fill(template.content);
}

/** data-t="key" is the text; data-t-title="key" is the attribute title, and so on. */
function fill(root) {
  for (const element of root.querySelectorAll("*")) {
    for (const [name, key] of Object.entries(element.dataset)) {
      if (name === "t") element.textContent = t(key);
      else if (/^t[A-Z]/.test(name)) {
        element.setAttribute(name.slice(1).replace(/[A-Z]/g, (c, at) => (at ? "-" : "") + c.toLowerCase()), t(key));
      }
    }
  }
}

// --- requests ----------------------------------------------------------------

/**
 * Sends a request below v1/. A body is sent as JSON. Returns the JSON of the answer, or throws
 * an error with a readable message, the status and, if the server sent one, its `error` object.
 */
export async function ask(path, { body, headers, ...options } = {}) {
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers = { "Content-Type": "application/json", ...headers };
  }
  let answer;
  try {
    answer = await fetch(`v1/${path}`, { headers, ...options });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw Object.assign(new Error(t("error.network")), { status: 0 });
  }
  if (answer.ok) {
    const value = await answer.json().catch(() => null);
    if (value && answer.headers.has("ETag")) Object.defineProperty(value, "etag", { value: answer.headers.get("ETag") });
    return value;
  }
  throw await refusal(answer);
}

/** The codes of the server's errors whose meaning does not depend on its message. */
const CODES = ["old_password", "password", "role", "rule", "extension", "phone", "nothing", "too_many", "off"];

/**
 * Why the server refused: its own message, which is English and names the case, or in other
 * languages the meaning of its code, if that says enough.
 */
export async function refusal(answer) {
  const { status, headers } = answer;
  const error = (await answer.json().catch(() => null))?.error;
  const isOurs = language !== "en" && CODES.includes(error?.code);
  const message = isOurs ? t(`error.code.${error.code}`) : (error?.message ?? t("error.status", { status }));
  return Object.assign(new Error(message), { status, error, after: headers.get("Retry-After") });
}
