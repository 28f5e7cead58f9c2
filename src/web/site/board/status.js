// One's own status: the menu at the top of the page, and the dialog that changes everything.

import { $, ask, complain, h, kept, minutes, say, set, t } from "./core.js";
import { isOwn, labelOfStatus, look, mayEdit, messageOf, moment, nameOf, on, own, paintDot, PRESENCE, put, RANK, state } from "./people.js";

const FLAGS = ["allowSeeMyPresence", "ringOnMonitoredCall", "pickUpCallsOnHold"];

/** Shows the caller's own status at the top. */
export function paintOwn() {
  const person = own();
  $("self").hidden = !person || !mayEdit(person.record);
  if (!person) return;
  const { record } = person;
  const [dot, words, message] = $("own").children;
  const shown = look(record);
  paintDot(dot, shown.icon, record.presenceStatus);
  set(words.querySelector(".label"), shown.label);
  set(words.querySelector(".why"), shown.why && `· ${shown.why}`);
  const until = record.chosen.until ? t("status.until", { time: moment(record.chosen.until) }) : "";
  set(message, [messageOf(record), until, ...shown.more.map(({ label }) => label)].filter(Boolean).join(" · "));
}

/** Sends a change of somebody's presence, and shows its result. */
async function send({ extensionId }, body) {
  const fresh = await ask(`account/~/extension/${encodeURIComponent(extensionId)}/presence`, { method: "PUT", body });
  say(t("board.saved"));
  // The answer has no record if the user is now hidden from the caller.
  if (fresh) put(fresh);
}

// --- the menu ----------------------------------------------------------------

/** The statuses that people take for a while, in minutes by state, and those that are a meal. */
const FOR_A_WHILE = { away: 30, dnd: 60 };
const MEAL = /lunch|meal|mittag|déjeuner|repas|almuerzo|comida|almoço|pranzo/i;
const MEAL_MINUTES = 45;

/** What was sent last from the menu and has not been answered. */
let sending = false;

/** The presets with an end: the caller's own, then those that follow from the status types. */
function presets() {
  const own = kept.get("presets", []).filter(({ status }) => state.statuses.some(({ name }) => name === status));
  const types = state.statuses.filter(({ name, state }) => name !== state);
  const given = (types.length ? types : state.statuses).filter(({ state }) => FOR_A_WHILE[state]);
  const made = given.map(({ name, label, state }) => ({ status: name, minutes: MEAL.test(`${name} ${label}`) ? MEAL_MINUTES : FOR_A_WHILE[state] }));
  const same = (one, other) => one.status === other.status && one.minutes === other.minutes;
  return [...own, ...made.filter((it) => !own.some((other) => same(it, other) && !other.message))];
}

/** The states from available to unavailable, then the administrator's types. */
const place = ({ name }) => (RANK.indexOf(name) + 1 || RANK.length + 1);

const typeOf = (status) => state.statuses.find(({ name }) => name === status);

function presetWords({ status, message, minutes: length }) {
  const label = labelOfStatus(status, typeOf(status)?.label);
  return [length ? `${label}, ${minutes(length)}` : label, message].filter(Boolean).join(" · ");
}

function openMenu() {
  const person = own();
  if (!person || $("self").hidden || !$("menu").hidden) return;
  const { chosen, status } = person.record;
  const now = typeOf(status) ? status : chosen.state;
  let digit = 0;
  const item = (words, { state: its }, role, checked, press) => {
    digit += 1;
    const dot = h("span", { class: "dot", "aria-hidden": "true" });
    paintDot(dot, its || "not_set", PRESENCE[its] ?? "");
    const key = digit < 10 && h("kbd", { "aria-hidden": "true" }, digit);
    return h("button", { type: "button", role, tabindex: -1, "aria-checked": checked, onclick: press }, dot, h("span", { dir: "auto" }, words), key);
  };
  const line = () => h("hr", { role: "separator" });
  $("menu").replaceChildren(
    ...state.statuses
      .filter(({ name }) => name !== "not_set")
      .sort((a, b) => place(a) - place(b))
      .map((type) => item(labelOfStatus(type.name, type.label), type, "menuitemradio", String(type.name === now), () => take({ status: type.name }))),
    line(),
    ...presets().map((preset) => item(presetWords(preset), typeOf(preset.status), "menuitem", null, () => take(preset))),
    line(),
    h("button", { type: "button", role: "menuitem", tabindex: -1, onclick: () => (closeMenu(), edit(own())) }, t("status.edit")),
  );
  $("menu").hidden = false;
  $("own").setAttribute("aria-expanded", "true");
  ($("menu").querySelector("[aria-checked=true]") ?? $("menu").querySelector("button")).focus();
}

function closeMenu(refocus = true) {
  $("menu").hidden = true;
  $("own").setAttribute("aria-expanded", "false");
  if (refocus) $("own").focus();
}

/** Takes a status, for a while or until another one. */
async function take({ status, message, minutes: length }) {
  closeMenu();
  if (sending) return;
  sending = true;
  try {
    const until = length ? Date.now() + length * 60e3 : null;
    await send(own().record, { status, until, ...(message && { message }) });
  } catch (error) {
    if (error.status === 401) return on.ended();
    set($("told"), error.message);
    $("told").classList.add("error");
    say(error.message);
  } finally {
    sending = false;
  }
}

$("own").addEventListener("click", () => ($("menu").hidden ? openMenu() : closeMenu()));

$("menu").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const all = [...$("menu").querySelectorAll("button")];
  const at = all.indexOf(document.activeElement);
  const { key } = event;
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  const digit = /^[1-9]$/.test(key) && all.find((it) => it.querySelector("kbd")?.textContent === key);
  if (key in moves) all.at(moves[key] % all.length).focus();
  else if (key === "Escape") closeMenu();
  else if (key === "Tab") return closeMenu();
  else if (digit) digit.focus();
  else if (key.length === 1 && key !== " ") {
    const begins = (it) => it.textContent.toLowerCase().startsWith(key.toLowerCase());
    [...all.slice(at + 1), ...all.slice(0, at + 1)].find(begins)?.focus();
  } else return;
  event.preventDefault();
  event.stopPropagation();
});

$("menu").addEventListener("focusin", ({ target }) => {
  for (const button of $("menu").querySelectorAll("button")) button.tabIndex = button === target ? 0 : -1;
});

$("menu").addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget && !$("self").contains(relatedTarget)) closeMenu(false);
});

document.addEventListener("pointerdown", ({ target }) => {
  if (!$("menu").hidden && !$("self").contains(target)) closeMenu(false);
});

/** The key s, from everywhere but a field. */
export const menu = { open: openMenu, close: () => closeMenu(false) };

// --- the dialog --------------------------------------------------------------

/** The chosen status when the dialog opened: { record, status, message, until, edited }. */
let editing = null;

/** A time in the format of <input type=datetime-local>. */
function local(time) {
  const date = new Date(time);
  return new Date(time - date.getTimezoneOffset() * 60e3).toISOString().slice(0, 16);
}

export function edit({ record }) {
  const { state: chosenState, message, until } = record.chosen;
  const known = state.statuses.some(({ name }) => name === record.status);
  editing = { record, status: known ? record.status : chosenState, message, edited: false };
  set($("editor-title"), isOwn(record) ? t("status.mine") : t("status.of", { name: nameOf(record) }));
  $("choices").replaceChildren(...state.statuses.map(choice));
  for (const option of $("until").options) if (option.value > 0) option.text = t("status.in", { time: minutes(option.value) });
  $("message").value = message;
  $("until").value = until ? "at" : "";
  $("at").value = until ? local(until) : "";
  editing.until = `${$("until").value} ${$("at").value}`;
  $("at-label").hidden = !until;
  $("dnd").value = record.dndStatus;
  for (const flag of FLAGS) $(flag).checked = record[flag];
  // Where one's own settings say who sees the presence, the flag is offered only to end it.
  $("visible").hidden = isOwn(record) && Boolean(state.caller.may?.settings) && record.allowSeeMyPresence;
  $("keep").checked = false;
  paintPresets();
  clearErrors();
  $("save").disabled = false;
  $("editor").showModal();
  ($("choices").querySelector(":checked") ?? $("choices").querySelector("input"))?.focus();
}

/** The caller's own presets, each with a button that removes it. */
function paintPresets() {
  $("preset").hidden = !isOwn(editing.record);
  const all = kept.get("presets", []);
  const remove = (at) => {
    kept.set("presets", all.toSpliced(at, 1));
    paintPresets();
    $("keep").focus();
  };
  const item = (preset, at) => {
    const words = presetWords(preset);
    const label = t("status.remove", { name: words });
    return h("li", {}, h("span", { dir: "auto" }, words), h("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick: () => remove(at) }, "×"));
  };
  $("presets").replaceChildren(...all.map(item));
  $("presets").hidden = !all.length;
  // A preset has a length, not a time of the day.
  $("keep").disabled = $("until").value === "at";
}

function keepPreset() {
  const preset = { status: chosen(), message: $("message").value.trim(), minutes: Number($("until").value) || null };
  const others = kept.get("presets", []).filter((it) => presetWords(it) !== presetWords(preset));
  kept.set("presets", [preset, ...others].slice(0, 10));
}

function clearErrors() {
  set($("edit-error"), "");
  complain($("at"));
  complain($("message"));
}

function choice({ name, label, state: itsState }) {
  const element = $("choice").content.firstElementChild.cloneNode(true);
  const [input, dot, text] = element.children;
  input.value = name;
  input.checked = name === editing.status;
  paintDot(dot, itsState || "not_set", PRESENCE[itsState] ?? "");
  text.textContent = labelOfStatus(name, label);
  return element;
}

const chosen = () => $("choices").querySelector(":checked")?.value;

// A message belongs to its status: another status starts without it.
$("choices").addEventListener("change", () => {
  if (!editing.edited) $("message").value = chosen() === editing.status ? editing.message : "";
});

$("message").addEventListener("input", () => (editing.edited = true));

$("until").addEventListener("change", () => {
  const at = $("until").value === "at";
  $("at-label").hidden = !at;
  $("keep").disabled = at;
  if (!at) return;
  const hour = 36e5;
  if (!$("at").value) $("at").value = local((Math.floor(Date.now() / hour) + 1) * hour);
  $("at").focus();
});

/** When the status ends, in ms; null for never. Throws if the time is not valid. */
function end() {
  const ends = $("until").value;
  if (ends === "") return null;
  if (ends !== "at") return Date.now() + ends * 60e3;
  if (`at ${$("at").value}` === editing.until) return editing.record.chosen.until;
  const time = new Date($("at").value).getTime();
  if (!(time > Date.now())) throw Object.assign(new Error(t("status.past")), { field: $("at") });
  return time;
}

/** The body of the request: only the changes. */
function update() {
  const { record } = editing;
  const body = {};
  if ($("dnd").value !== record.dndStatus) body.dndStatus = $("dnd").value;
  for (const flag of FLAGS) if ($(flag).checked !== record[flag]) body[flag] = $(flag).checked;
  const message = $("message").value.trim();
  const status = chosen();
  if (status !== editing.status) {
    body.status = status;
    // Without a message, the status type's own applies.
    if (editing.edited) body.message = message;
    body.until = end();
    return body;
  }
  const other = editing.edited && message !== editing.message;
  if (`${$("until").value} ${$("at").value}` !== editing.until) {
    // An end needs a status: the one that was chosen, unchanged.
    const { subtype } = record.chosen;
    Object.assign(body, { status, message: other ? message : editing.message, until: end() }, subtype && { subtype });
  } else if (other) body.message = message;
  return body;
}

$("edit").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  let body = {};
  try {
    body = update();
    const isKept = $("keep").checked && !$("keep").disabled && chosen();
    $("save").disabled = true;
    if (Object.keys(body).length) await send(editing.record, body);
    if (isKept) keepPreset();
    $("editor").close();
  } catch (error) {
    if (error.status === 401) return on.ended();
    // Of what the server refuses with 400, only the message is free text.
    const field = error.field ?? (error.status === 400 && body.message ? $("message") : null);
    if (field) complain(field, error.message);
    else set($("edit-error"), error.message);
  } finally {
    $("save").disabled = false;
  }
});

$("cancel").addEventListener("click", () => $("editor").close());

// A press outside the dialog closes it.
$("editor").addEventListener("mousedown", (event) => {
  const { left, right, top, bottom } = $("editor").getBoundingClientRect();
  const inside = event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
  if (event.target === $("editor") && !inside) $("editor").close();
});

$("mine").addEventListener("click", () => {
  const person = own();
  if (person) edit(person);
});
