// Notices: missed calls, new messages in a mailbox, and people who are available again. Those
// of calls and people are also notifications of the browser, where it was allowed to show them.

import { $, h, kept, say, t } from "./core.js";
import { moment, nameOf, state } from "./people.js";

/** The number of notices that are shown; older ones are removed. */
const MOST = 20;
/** By text or mailbox: a repeated notice counts up and moves to the top. */
let notices = new Map();
/** The ids of the people whose return is told. */
let watched = new Set();

/** Begins with what this person's browser has kept. */
export function begin() {
  watched = new Set(kept.get("watched", []));
}

/** Shows a push message to the caller: a missed call, or a waiting message. */
export function push({ type, callerIDNum, mailbox, newMessages }) {
  if (type === "MissedCall") {
    const text = callerIDNum ? t("notice.missed", { number: callerIDNum }) : t("notice.missedUnknown");
    notify(text, "call", text, (notices.get(text)?.count ?? 0) + 1);
    pop(text);
  } else if (mailbox) {
    notify(t(type === "Voicemail" ? "notice.voicemail" : "notice.message", { count: newMessages, mailbox }), "mail", mailbox);
  }
}

/** Shows a notice above the view; one with the same key replaces the last. */
function notify(text, icon, key = text, count = 1) {
  notices.delete(key);
  notices = new Map([[key, { text, count, time: Date.now(), icon }], ...notices].slice(0, MOST));
  paint();
  say(text);
}

/** Removes all notices. */
export function clear() {
  notices.clear();
  watched.clear();
  paint();
}

function paint() {
  const elements = [...notices].map(([key, { text, count, time, icon }]) => {
    const element = $("notice").content.firstElementChild.cloneNode(true);
    const [, what, when, dismiss] = element.children;
    element.querySelector("use").setAttribute("href", `#icon-${icon}`);
    what.textContent = count > 1 ? t("notice.times", { text, count }) : text;
    when.textContent = moment(time);
    when.dateTime = new Date(time).toISOString();
    dismiss.setAttribute("aria-label", `${t("board.dismiss")}: ${text}`);
    dismiss.addEventListener("click", () => {
      const next = element.nextElementSibling ?? element.previousElementSibling;
      notices.delete(key);
      element.remove();
      $("notices").hidden = !notices.size;
      // The keyboard focus moves to the next notice.
      (next?.querySelector("button") ?? ($("board").hidden ? $("view") : $("grid"))).focus();
    });
    return element;
  });
  // A focused notice keeps the focus.
  const at = [...$("notices").children].find((element) => element.contains(document.activeElement));
  const text = at?.querySelector("button").getAttribute("aria-label");
  const asks = document.activeElement?.id === "ask";
  $("notices").replaceChildren(...elements);
  $("notices").hidden = !elements.length;
  if (elements.length && may() === "default") $("notices").append(h("li", {}, h("button", { id: "ask", type: "button", class: "quiet", onclick: allow }, t("notice.ask"))));
  if (asks) $("ask")?.focus();
  elements.map((element) => element.lastElementChild).find((button) => text && button.getAttribute("aria-label") === text)?.focus();
}

// --- who is available again --------------------------------------------------

export const isWatched = ({ extensionId }) => watched.has(extensionId);

/** Tells once when this person is available, or no more. A press of the bell calls this. */
export function watch({ extensionId }) {
  if (!watched.delete(extensionId)) {
    watched.add(extensionId);
    allow();
  }
  kept.set("watched", [...watched]);
}

/** Looks for watched people who are available. */
export function look() {
  for (const id of watched) {
    const record = state.people.get(id)?.record;
    if (record?.presenceStatus !== "Available") continue;
    watched.delete(id);
    kept.set("watched", [...watched]);
    const text = t("notice.available", { name: nameOf(record) });
    notify(text, "bell");
    pop(text);
  }
}

// --- notifications of the browser --------------------------------------------

const may = () => globalThis.Notification?.permission ?? "denied";

/** Asks for the permission; only ever because of a click. */
async function allow() {
  if (may() === "default") await Notification.requestPermission();
  if (may() !== "default") $("ask")?.parentElement.remove();
}

function pop(text) {
  if (may() !== "granted") return;
  try {
    const shown = new Notification(t("board.title"), { body: text, tag: text, icon: "icon.svg", lang: document.documentElement.lang });
    shown.addEventListener("click", () => (window.focus(), shown.close()));
  } catch {
    // Some phones allow it only to service workers; the notice on the page remains.
  }
}
