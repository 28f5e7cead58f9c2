// One's own status: the menu at the top of the page, and the dialog that changes everything.

import { $, ask, complain, minutes, say, set, t } from "./core.js";
import { isOwn, labelOfStatus, look, mayEdit, messageOf, moment, nameOf, on, own, paintDot, PRESENCE, put, state } from "./people.js";

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
  clearErrors();
  $("save").disabled = false;
  $("editor").showModal();
  ($("choices").querySelector(":checked") ?? $("choices").querySelector("input"))?.focus();
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
    if (!Object.keys(body).length) return $("editor").close();
    $("save").disabled = true;
    await send(editing.record, body);
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
