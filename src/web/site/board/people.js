// The people of the account: what is known of each, how it is put into words, and the feed
// that keeps it current. Text from users is only ever set as text, never as HTML.

import { $, ask, locale, refusal, say, set, t } from "./core.js";

/**
 * What the parts of the page share. `people`: extensionId -> { record, look, text };
 * `calls`: extensionId -> what that person's phones do, where the caller may know it.
 */
export const state = { caller: null, people: new Map(), calls: new Map(), statuses: [], loaded: false };

/** What the other parts do when something happens here; each sets its own. */
export const on = { changed() {}, push() {}, statuses() {}, calls() {}, ended() {} };

/** The telephony statuses, with kind as in the server's `inferred`. */
const CALLS = { Ringing: "ringing", CallConnected: "call", OnHold: "hold", ParkedCall: "parked" };
const REFUSES = { DoNotAcceptAnyCalls: "calls.refused", DoNotAcceptDepartmentCalls: "calls.noQueueCalls" };
export const ICONS = { call: "call", ringing: "call", hold: "call", parked: "call", meeting: "meeting", dnd: "dnd" };
// The order when sorted by status: reachable people come first.
export const PRESENCES = ["Available", "Busy", "Offline"];
export const RANK = ["available", "chat", "away", "xa", "dnd", "unavailable", "not_set"];
/** The presence that follows from a state alone. */
export const PRESENCE = { available: "Available", chat: "Available", away: "Busy", dnd: "Busy", xa: "Offline", unavailable: "Offline" };

/** The server's labels of the states, which are translated unless the administrator changed them. */
const LABELS = {
  not_set: "Not set",
  unavailable: "Unavailable",
  available: "Available",
  away: "Away",
  xa: "Extended away",
  chat: "Free to chat",
  dnd: "Do not disturb",
};

export const names = new Intl.Collator(locale, { numeric: true });
/** Without case and accents, so that "jose" finds "José". */
export const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export const nameOf = (record) => record.name || record.user || record.extensionId;
export const messageOf = (record) => record.chosen.message || record.message;
/** The label of a status type. */
export const labelOfStatus = (name, label) => (LABELS[name] && (!label || label === LABELS[name]) ? t(`state.${name}`) : label || name);
export const labelOf = (record) => labelOfStatus(record.status || record.state, record.label);

/** What was inferred: the server's own words are translated, a status type keeps its label. */
const inferredOf = ({ kind, label }) => ({ kind, label: kind === "status" ? label : t(`inferred.${kind}`) });

/**
 * How a person is shown: the chosen status, the reason if the presence differs from it,
 * and other activity. Icon and words agree with the presence that the chips count, or
 * name the reason why not.
 */
export function look(record) {
  const { state, presenceStatus, telephonyStatus, meetingStatus, dndStatus } = record;
  const words = (kind) => ({ kind, label: t(`inferred.${kind}`) });
  const call = CALLS[telephonyStatus] && words(CALLS[telephonyStatus]);
  const meeting = meetingStatus === "Connected" && words("meeting");
  const activity = call ?? (meeting || null);
  let why = record.inferred ? inferredOf(record.inferred) : activity;
  if (!why && presenceStatus !== (PRESENCE[state] ?? "")) {
    const key = { Available: "presence.reachable", Offline: "presence.Offline" }[presenceStatus];
    if (key) why = { kind: "", label: t(key) };
  } else if (!why && state === "xa") why = { kind: "", label: t("presence.Offline") };
  const kind = why?.kind ?? "";
  const isActive = kind in ICONS;
  // A phone in use has its own icon, which does not mean do not disturb.
  const own = isActive && (record.chosen.state !== state || PRESENCE[state] !== presenceStatus);
  const refuses = REFUSES[dndStatus];
  const more = [];
  if (call && !(call.kind === kind || (record.inferred && ["call", "ringing", "hold"].includes(kind)))) more.push(call);
  if (meeting && kind !== "meeting") more.push(meeting);
  if (refuses) more.push({ kind: "dnd", label: t(refuses) });
  // Nothing was chosen: only the inferred presence is shown.
  const bare = record.inferred && record.chosen.state === "not_set" && ["", "not_set"].includes(record.status);
  const label = bare ? why.label : labelOf(record);
  // A status may have the same label.
  if (why?.label === label) why = null;
  return { icon: own ? kind : state, label, why: why?.label ?? "", kind, more };
}

/** Label and reason as one text. */
export const wordsOf = ({ label, why }) => (why ? `${label} · ${why}` : label);

export function isOwn(record) {
  const { extensionId, user } = state.caller;
  return extensionId != null ? record.extensionId === extensionId : user != null && record.user === user;
}

export const mayEdit = (record) => state.caller.role === "admin" || (state.caller.role === "self" && isOwn(record));

/** The caller's own person, if the caller is one. */
export const own = () => sorted().find(({ record }) => isOwn(record));

/** All people by name; null while nobody asked. */
let byName = null;
const order = ({ record: a }, { record: b }) => names.compare(nameOf(a), nameOf(b)) || names.compare(a.extensionId, b.extensionId);

export const sorted = () => (byName ??= [...state.people.values()].sort(order));

/** Takes a person out of the order, or puts them into it: sorting everybody anew takes longer than a frame. */
function reorder(person, isIn) {
  if (!byName) return;
  if (!isIn) return byName.splice(byName.indexOf(person), 1);
  let [low, high] = [0, byName.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(byName[middle], person) < 0) low = middle + 1;
    else high = middle;
  }
  byName.splice(low, 0, person);
}

/** Forgets everybody. */
export function forget() {
  state.people.clear();
  state.calls.clear();
  [byName, lastId, incoming, state.loaded] = [null, null, null, false];
}

/** Whether a record is older than another one; in a cluster each server has its own numbers. */
export const isOlder = (record, other) => record.node === other.node && record.sequence < other.sequence;

/** Adds or updates a record, unless a newer one is known. */
export function put(record, into = state.people) {
  const person = into.get(record.extensionId);
  if (person && isOlder(record, person.record)) return;
  const { title, email, groups = [], user, extensions, extensionId } = record;
  const its = look(record);
  const words = [nameOf(record), user, extensionId, wordsOf(its), messageOf(record), title, email, ...groups, ...extensions];
  const fresh = { record, look: its, text: plain(words.filter(Boolean).join("\n")) };
  if (into !== state.people) return into.set(extensionId, fresh);
  if (!person) {
    into.set(extensionId, fresh);
    reorder(fresh, true);
  } else {
    const before = person.record;
    const moves = nameOf(before) !== nameOf(record);
    if (moves) reorder(person, false);
    Object.assign(person, fresh);
    if (moves) reorder(person, true);
    if (isOwn(record)) tellOwn(before, record);
  }
  on.changed();
}

function tellOwn(before, record) {
  const [was, is] = [before, record].map((it) => [labelOf(it), messageOf(it)].filter(Boolean).join(", "));
  if (was !== is) say(t("status.changed", { status: is }));
  else if (before.dndStatus !== record.dndStatus) say(t(REFUSES[record.dndStatus] ?? "calls.taken"));
}

// --- feed --------------------------------------------------------------------

/** Without any data for so long (ms), not even a heartbeat, the connection is dead. */
const SILENCE = 45e3;
export const LONGEST_PAUSE = 30e3;

/** The id of the last event: the next connection resumes after it. */
let lastId = null;
/** A snapshot that is not complete yet. */
let incoming = null;
let staleSince = null;
let end = () => {};

/** Ends the pause before the next attempt. */
export const hurry = () => end();

/** Waits, unless somebody is in a hurry. */
export const pause = (time) =>
  new Promise((done) => {
    const timer = setTimeout(done, time);
    end = () => (clearTimeout(timer), done());
  });

/**
 * Follows the feed until `login` is aborted.
 *
 * With fetch rather than EventSource, which hides what this needs: the HTTP status (401
 * means that the login has ended, 503 says when to try again) and the heartbeats, without
 * which a connection that died silently seems alive for ever.
 */
export async function follow(login) {
  for (let failures = 0; !login.aborted; failures++) {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    login.addEventListener("abort", abort);
    let heard = Date.now();
    const watch = setInterval(() => Date.now() - heard > SILENCE && abort(), 5e3);
    let wait = 0;
    let why = "";
    let began = Infinity;
    let told = false;
    let ended = false;
    try {
      const query = new URLSearchParams({ expand: "record" });
      if (lastId === null) query.set("snapshot", "true");
      else query.set("lastEventId", lastId);
      const headers = { Accept: "text/event-stream" };
      const answer = await fetch(`v1/account/~/events?${query}`, { headers, cache: "no-store", signal: attempt.signal });
      if (answer.status === 401) return on.ended();
      wait = 1e3 * (Number(answer.headers.get("Retry-After")) || 0);
      if (answer.ok) {
        began = heard = Date.now();
        // A reload of the module ends the stream and may have changed the statuses.
        state.statuses = (await ask("account/~/statuses", { signal: attempt.signal })).statuses;
        on.statuses();
        if (state.loaded) connection("live");
        for await (const message of messages(answer.body, () => (heard = Date.now()))) {
          take(message);
          told ||= staleSince === null;
        }
        ended = true;
      } else {
        why = (await refusal(answer)).message;
      }
    } catch (error) {
      if (error.status === 401) return on.ended();
      // Network failures are shown below; errors of this script go to the console.
      const network = error instanceof TypeError || error.name === "AbortError" || "status" in error;
      if (!network) console.error(error);
    } finally {
      clearInterval(watch);
      login.removeEventListener("abort", abort);
      attempt.abort();
    }
    if (login.aborted) return;
    incoming = null;
    // A connection that delivered a snapshot was good, however short.
    const good = told || Date.now() - began > 5e3;
    if (good) failures = 0;
    // The server ends every stream sooner or later, which is not a failure yet.
    connection(ended && good ? "connecting" : "stale", why);
    const backoff = Math.min(LONGEST_PAUSE, 500 * 2 ** failures) * (0.75 + Math.random() / 2);
    await pause(Math.max(wait, backoff));
  }
}

/** The messages of an event stream; calls `heard` for all data, heartbeats too. */
async function* messages(body, heard) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let message = { event: "message", data: "", id: null };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, field, text] = /^([^:\r]*):? ?(.*?)\r?$/s.exec(line);
      if (field === "event") message.event = text;
      else if (field === "data") message.data += message.data ? `\n${text}` : text;
      else if (field === "id") message.id = text;
      else if (line === "" || line === "\r") {
        if (message.data) yield message;
        message = { event: "message", data: "", id: null };
      }
    }
  }
}

function take({ event, data, id }) {
  const value = JSON.parse(data);
  if (event === "presence" && value.record) {
    put(value.record, incoming ?? state.people);
  } else if (event === "push") {
    on.push(value);
  } else if (event === "hidden") {
    const all = incoming ?? state.people;
    const person = all.get(value.extensionId);
    all.delete(value.extensionId);
    if (person && !incoming) reorder(person, false);
    on.changed();
  } else if (event === "snapshot") {
    incoming ??= new Map();
    for (const record of value.records) put(record, incoming);
    if (!value.more) {
      // People who stay keep their objects, by which the list identifies them.
      for (const [key, fresh] of incoming) {
        const known = state.people.get(key);
        if (known) incoming.set(key, Object.assign(known, fresh));
      }
      state.people = incoming;
      incoming = null;
      byName = null;
      state.loaded = true;
      connection("live");
      on.changed();
    }
  } else if (event === "calls") on.calls(value.extensionId, value.calls);
  // "reset" needs no action: the snapshot that follows replaces all people.
  if (id !== null) lastId = id;
}

/** Shows the state of the connection: "live", "connecting" or "stale". */
export function connection(now, why = "") {
  const element = $("connection");
  staleSince = now === "live" ? null : (staleSince ?? new Date());
  if (now === "stale") {
    const since = state.loaded ? t("feed.stale", { time: staleSince.toLocaleTimeString(locale) }) : t("feed.none");
    set(element, `${since} ${why}`.trim());
  } else {
    set(element, t(now === "live" ? "feed.live" : "feed.connecting"));
  }
  element.dataset.state = now;
  $("again").hidden = now !== "stale";
}

const DAY = 24 * 36e5;
const days = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });

/** A time: of today or within a day the clock alone, else with "tomorrow" or the date. */
export function moment(time) {
  const date = new Date(time);
  const [now, next] = [new Date(), new Date()];
  next.setDate(now.getDate() + 1);
  const clock = date.toLocaleTimeString(locale, { timeStyle: "short" });
  if (date.toDateString() === now.toDateString() || (date > now && date - now < DAY)) return clock;
  if (date.toDateString() === next.toDateString()) return `${days.format(1, "day")} ${clock}`;
  return date.toLocaleString(locale, { dateStyle: "short", timeStyle: "short" });
}

/** The shape shows the state or the call, the colour the presence that the chips count. */
export function paintDot(element, icon, presence) {
  element.className = `dot ${icon}`;
  element.dataset.presence = presence;
}
