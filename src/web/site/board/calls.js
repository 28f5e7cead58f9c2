// Calls: with whom people talk and since when, and calls from one's own phone.

import { $, ask, say, set, t } from "./core.js";
import { isOwn, nameOf, on, state } from "./people.js";

/** The calls of one person changed. */
export function put(extensionId, calls) {
  if (calls.length) state.calls.set(extensionId, calls);
  else state.calls.delete(extensionId);
}

/** How long something has lasted, as 0:07 or 1:02:03. */
export function elapsed(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1e3));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds % 60)}`;
}

/** With whom, and since when: the call that matters most, an answered one before a ringing one. */
export function paintTalk(element, calls = []) {
  const call = calls.find(({ state }) => state !== "Ringing") ?? calls[0];
  element.hidden = !call;
  element.since = call?.since;
  const [words, time] = element.children;
  if (!call) return;
  const name = call.name || call.number || t("calls.unknown");
  const key = call.state !== "Ringing" ? "calls.with" : call.direction === "in" ? "calls.from" : "calls.to";
  set(words, t(key, { name }));
  words.title = [call.name, call.number].filter(Boolean).join(" ");
  set(time, elapsed(call.since));
  time.dateTime = new Date(call.since).toISOString();
}

/** Moves the clocks of the rows on. */
export function tick(rows) {
  if (document.hidden || !state.calls.size) return;
  for (const { talk } of rows) if (talk && !talk.hidden) set(talk.lastElementChild, elapsed(talk.since));
}

/** What the caller may do with this person's phones; null for what is not possible. */
export function actionsOf(record, calls = []) {
  if (!state.caller.may?.call || isOwn(record)) return { call: null, pickup: null };
  const rings = calls.length ? calls.some(({ state, direction }) => state === "Ringing" && direction === "in") : record.telephonyStatus === "Ringing";
  const path = (id, what) => `account/~/extension/${encodeURIComponent(id)}/${what}`;
  const to = record.extensions[0] ?? record.extensionId;
  return {
    call: rings ? null : () => send(path("~", "calls"), t("calls.calling", { name: nameOf(record) }), { to }),
    pickup: rings ? () => send(path(record.extensionId, "pickup"), t("calls.picking")) : null,
  };
}

/** One's own phone rings first: the page says so, or why not. */
async function send(path, done, body = {}) {
  const told = $("told");
  try {
    await ask(path, { method: "POST", body });
    set(told, done);
    told.classList.remove("error");
    say(done);
  } catch (error) {
    if (error.status === 401) return on.ended();
    set(told, error.message);
    told.classList.add("error");
    say(error.message);
  }
  clearTimeout(send.timer);
  send.timer = setTimeout(() => set(told, ""), 8e3);
}
