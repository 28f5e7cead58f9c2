// Notices: missed calls, and new messages in a mailbox.

import { $, say, t } from "./core.js";
import { moment } from "./people.js";

/** The number of notices that are shown; older ones are removed. */
const MOST = 20;
/** By text or mailbox: a repeated notice counts up and moves to the top. */
let notices = new Map();

/** Shows a push message to the caller: a missed call, or a waiting message. */
export function push({ type, callerIDNum, mailbox, newMessages }) {
  if (type === "MissedCall") {
    const text = callerIDNum ? t("notice.missed", { number: callerIDNum }) : t("notice.missedUnknown");
    notify(text, "call", text, (notices.get(text)?.count ?? 0) + 1);
  } else if (mailbox) {
    notify(t(type === "Voicemail" ? "notice.voicemail" : "notice.message", { count: newMessages, mailbox }), "mail", mailbox);
  }
}

/** Shows a notice above the view; one with the same key replaces the last. */
export function notify(text, icon, key = text, count = 1) {
  notices.delete(key);
  notices = new Map([[key, { text, count, time: Date.now(), icon }], ...notices].slice(0, MOST));
  paint();
  say(text);
}

/** Removes all notices. */
export function clear() {
  notices.clear();
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
  $("notices").replaceChildren(...elements);
  $("notices").hidden = !elements.length;
  elements.map((element) => element.lastElementChild).find((button) => text && button.getAttribute("aria-label") === text)?.focus();
}
