// The board: all users of an account, kept current by the account's feed.
//
// From top to bottom: the data (people), the feed that updates it, the list that shows
// it, the dialog that changes it, and the login. Text from users is only ever set as
// text, never as HTML.

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** The telephony statuses, with kind and label as in the server's `inferred`. */
const CALLS = {
  Ringing: { kind: "ringing", label: "Ringing" },
  CallConnected: { kind: "call", label: "On a call" },
  OnHold: { kind: "hold", label: "On hold" },
  ParkedCall: { kind: "parked", label: "Parked" },
};
const MEETING = { kind: "meeting", label: "In a meeting" };
const REFUSES = { DoNotAcceptAnyCalls: "No calls", DoNotAcceptDepartmentCalls: "No queue calls" };
const ICONS = { call: "call", ringing: "call", hold: "call", parked: "call", meeting: "meeting", dnd: "dnd" };
const FLAGS = ["allowSeeMyPresence", "ringOnMonitoredCall", "pickUpCallsOnHold"];
// The order when sorted by status: reachable people come first.
const PRESENCES = ["Available", "Busy", "Offline"];
const RANK = ["available", "chat", "away", "xa", "dnd", "unavailable", "not_set"];
/** The presence that follows from a state alone. */
const PRESENCE = { available: "Available", chat: "Available", away: "Busy", dnd: "Busy", xa: "Offline", unavailable: "Offline" };

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Announces a text to screen readers, even if it is the same as the last one. */
function say(text) {
  $("announcement").textContent = text;
}

// --- people ------------------------------------------------------------------

/** extensionId -> { record, text }; a person stays the same object while it is known. */
let people = new Map();
/** All people by name; null after a person was added, removed or renamed. */
let byName = null;
let caller = null;
let statuses = [];

const names = new Intl.Collator(undefined, { numeric: true });
/** Without case and accents, so that "jose" finds "José". */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const nameOf = (record) => record.user || record.extensionId;
const labelOf = (record) => record.label || record.status || record.state;
const messageOf = (record) => record.chosen.message || record.message;

/**
 * How a person is shown: the chosen status, the reason if the presence differs from it,
 * and other activity. Icon and words agree with the presence that the chips count, or
 * name the reason why not.
 */
function look(record) {
  const { state, presenceStatus, telephonyStatus, meetingStatus, dndStatus } = record;
  const call = CALLS[telephonyStatus];
  const meeting = meetingStatus === "Connected" && MEETING;
  const activity = call ?? (meeting || null);
  let why = record.inferred ?? activity;
  if (!why && presenceStatus !== (PRESENCE[state] ?? "")) {
    const words = { Available: "Reachable", Offline: "Offline" }[presenceStatus];
    if (words) why = { kind: "", label: words };
  } else if (!why && state === "xa") why = { kind: "", label: "Offline" };
  const kind = why?.kind ?? "";
  const isActive = kind in ICONS;
  // A phone in use has its own icon, which does not mean do not disturb.
  const own = isActive && (record.chosen.state !== state || PRESENCE[state] !== presenceStatus);
  const refuses = REFUSES[dndStatus];
  const more = [];
  if (call && !(call.kind === kind || (record.inferred && ["call", "ringing", "hold"].includes(kind)))) more.push({ ...call });
  if (meeting && kind !== "meeting") more.push(meeting);
  if (refuses) more.push({ kind: "dnd", label: refuses });
  // Nothing was chosen: only the inferred presence is shown.
  const bare = record.inferred && record.chosen.state === "not_set" && ["", "not_set"].includes(record.status);
  const label = bare ? why.label : labelOf(record);
  // A status may have the same label.
  if (why?.label === label) why = null;
  return { icon: own ? kind : state, label, why: why?.label ?? "", kind, more };
}

/** Label and reason as one text. */
const wordsOf = ({ label, why }) => (why ? `${label} · ${why}` : label);
const isOwn = (record) =>
  caller.extensionId != null ? record.extensionId === caller.extensionId : caller.user != null && record.user === caller.user;
const mayEdit = (record) => caller.role === "admin" || (caller.role === "self" && isOwn(record));

/** Adds or updates a record, unless a newer one is known. */
function put(into, record) {
  const person = into.get(record.extensionId);
  if (person && person.record.sequence > record.sequence) return;
  const words = [nameOf(record), record.extensionId, wordsOf(look(record)), messageOf(record), ...record.extensions];
  const text = plain(words.join("\n"));
  if (!person) {
    into.set(record.extensionId, { record, text });
    byName = null;
  } else {
    if (nameOf(person.record) !== nameOf(record)) byName = null;
    const before = person.record;
    Object.assign(person, { record, text });
    if (into === people && isOwn(record)) tellOwn(before, record);
  }
  changed();
}

function tellOwn(before, record) {
  const [was, is] = [before, record].map((it) => [labelOf(it), messageOf(it)].filter(Boolean).join(", "));
  if (was !== is) {
    say(`Your status: ${is}`);
  } else if (before.dndStatus !== record.dndStatus) {
    say(REFUSES[record.dndStatus] ?? "Takes all calls");
  }
}

// --- feed --------------------------------------------------------------------

/** Without any data for so long (ms), not even a heartbeat, the connection is dead. */
const SILENCE = 45e3;
const LONGEST_PAUSE = 30e3;
const ENDED = "Your session has ended. Please log in again.";

/** The id of the last event: the next connection resumes after it. */
let lastId = null;
/** A snapshot that is not complete yet. */
let incoming = null;
let loaded = false;
let staleSince = null;
/** Ends the pause before the next attempt. */
let hurry = () => {};

/**
 * Follows the feed until `login` is aborted.
 *
 * With fetch rather than EventSource, which hides what this needs: the HTTP status (401
 * means that the login has ended, 503 says when to try again) and the heartbeats, without
 * which a connection that died silently seems alive for ever.
 */
async function follow(login) {
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
      if (answer.status === 401) return logIn(ENDED);
      wait = 1e3 * (Number(answer.headers.get("Retry-After")) || 0);
      if (answer.ok) {
        began = heard = Date.now();
        // A reload of the module ends the stream and may have changed the statuses.
        learn((await ask("account/~/statuses", { signal: attempt.signal })).statuses);
        if (loaded) connection("live");
        for await (const message of messages(answer.body, () => (heard = Date.now()))) {
          take(message);
          told ||= staleSince === null;
        }
        ended = true;
      } else {
        why = await reason(answer);
      }
    } catch (error) {
      if (error.status === 401) return logIn(ENDED);
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
    await new Promise((done) => {
      const timer = setTimeout(done, Math.max(wait, backoff));
      hurry = () => (clearTimeout(timer), done());
    });
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
    put(incoming ?? people, value.record);
  } else if (event === "push") {
    notify(value);
  } else if (event === "hidden") {
    (incoming ?? people).delete(value.extensionId);
    byName = null;
    changed();
  } else if (event === "snapshot") {
    incoming ??= new Map();
    for (const record of value.records) put(incoming, record);
    if (!value.more) {
      // People who stay keep their objects, by which the list identifies them.
      for (const [key, fresh] of incoming) {
        const known = people.get(key);
        if (known) incoming.set(key, Object.assign(known, fresh));
      }
      people = incoming;
      incoming = null;
      byName = null;
      loaded = true;
      connection("live");
      changed();
    }
  }
  // "reset" needs no action: the snapshot that follows replaces all people.
  if (id !== null) lastId = id;
}

/** Updates the statuses that can be chosen. */
function learn(all) {
  statuses = all;
  const options = statuses.map(({ name, label }) => new Option(label || name, name));
  $("status").replaceChildren($("status").firstElementChild, ...options);
  $("status").value = filter.status;
  if ($("status").selectedIndex < 0) $("status").value = filter.status = "";
}

function connection(state, why = "") {
  const element = $("connection");
  staleSince = state === "live" ? null : (staleSince ?? new Date());
  if (state === "stale") {
    const since = loaded ? `Not current since ${staleSince.toLocaleTimeString()}` : "No connection";
    set(element, `${since}, trying again… ${why}`.trim());
  } else {
    set(element, state === "live" ? "Live" : "Connecting…");
  }
  element.dataset.state = state;
  $("again").hidden = state !== "stale";
}

// --- notices -----------------------------------------------------------------

/** The number of notices that are shown; older ones are removed. */
const MOST_NOTICES = 20;
/** By text or mailbox: a repeated notice counts up and moves to the top. */
let notices = new Map();

/** Shows a push message to the caller: a missed call, or a waiting message. */
function notify({ type, callerIDNum, mailbox, newMessages }) {
  const missed = type === "MissedCall";
  if (!missed && !mailbox) return;
  const text = missed
    ? `Missed call from ${callerIDNum || "an unknown number"}`
    : `New ${type === "Voicemail" ? "voicemail" : "message"}: ${newMessages} in mailbox ${mailbox}`;
  const key = missed ? text : mailbox;
  const count = missed ? (notices.get(key)?.count ?? 0) + 1 : 1;
  notices.delete(key);
  notices = new Map([[key, { text, count, time: Date.now(), icon: missed ? "call" : "mail" }], ...notices].slice(0, MOST_NOTICES));
  paintNotices();
  say(text);
}

function paintNotices() {
  const elements = [...notices].map(([key, { text, count, time, icon }]) => {
    const element = $("notice").content.firstElementChild.cloneNode(true);
    const [, what, when, dismiss] = element.children;
    element.querySelector("use").setAttribute("href", `#icon-${icon}`);
    what.textContent = count > 1 ? `${text} (${count} times)` : text;
    when.textContent = moment(time);
    when.dateTime = new Date(time).toISOString();
    dismiss.setAttribute("aria-label", `Dismiss: ${text}`);
    dismiss.addEventListener("click", () => {
      const next = element.nextElementSibling ?? element.previousElementSibling;
      notices.delete(key);
      element.remove();
      $("notices").hidden = !notices.size;
      // The keyboard focus moves to the next notice.
      (next?.querySelector("button") ?? $("grid")).focus();
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

// --- the list ----------------------------------------------------------------

/** The number of rows beyond each edge of the visible part. */
const MORE = 6;

const filter = { words: [], presence: "", status: "" };
/** The people that match, in the order shown. */
let shown = [];
/** The person that the keyboard cursor is on. */
let active = null;
let stale = true;
let asked = false;
let rowHeight = 0;
/** The row elements in use, by person, in the order of the document. */
let drawn = new Map();
const spare = [];

/** People or filter changed: evaluated and drawn once, with the next frame. */
function changed() {
  stale = true;
  draw();
}

function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (!caller) return;
    if (stale) choose();
    paint();
  });
}

/** Selects the people to show, and counts. */
function choose() {
  stale = false;
  byName ??= [...people.values()].sort(
    ({ record: a }, { record: b }) => names.compare(nameOf(a), nameOf(b)) || names.compare(a.extensionId, b.extensionId),
  );
  const counts = { "": byName.length };
  for (const { record } of byName) counts[record.presenceStatus] = (counts[record.presenceStatus] ?? 0) + 1;
  for (const chip of $("chips").children) {
    set(chip.lastElementChild, (counts[chip.dataset.presence] ?? 0).toLocaleString());
  }

  shown = byName.filter(
    ({ record, text }) =>
      filter.words.every((word) => text.includes(word)) &&
      (!filter.presence || record.presenceStatus === filter.presence) &&
      (!filter.status || (record.status || record.state) === filter.status),
  );
  if ($("sort").value === "status") {
    const groups = new Map();
    for (const person of shown) {
      const { record } = person;
      const key = `${PRESENCES.indexOf(record.presenceStatus)}${RANK.indexOf(record.state)} ${wordsOf(look(record))}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(person);
    }
    shown = [...groups].sort(([a], [b]) => names.compare(a, b)).flatMap(([, members]) => members);
  }

  $("grid").hidden = !shown.length;
  $("nobody").hidden = shown.length > 0;
  set($("nobody"), !loaded ? "Loading…" : people.size ? "No matches." : "There are no users yet.");
  $("grid").setAttribute("aria-rowcount", shown.length + 1);
  $("rows").style.height = `${shown.length * rowHeight}px`;
  paintMine();
}

/** Puts only the visible rows into the document. */
function paint() {
  const { scrollTop, clientHeight } = $("grid");
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - MORE);
  const to = Math.min(shown.length, Math.ceil((scrollTop + clientHeight) / rowHeight) + MORE);
  const before = drawn;
  drawn = new Map();
  for (let index = from; index < to; index++) {
    drawn.set(shown[index], before.get(shown[index]));
    before.delete(shown[index]);
  }
  spare.push(...before.values());

  let next = $("rows").firstElementChild;
  let index = from;
  let activeRow = "";
  for (const [person, known] of drawn) {
    const row = known ?? spare.pop() ?? newRow();
    drawn.set(person, row);
    fill(row, person, index++, known !== undefined);
    if (person === active) activeRow = row.element.id;
    row.element.classList.toggle("active", person === active);
    // In the same order in the document, which screen readers follow.
    if (row.element === next) next = next.nextElementSibling;
    else $("rows").insertBefore(row.element, next);
  }
  for (const row of spare) row.element.remove();
  if (activeRow) $("grid").setAttribute("aria-activedescendant", activeRow);
  else $("grid").removeAttribute("aria-activedescendant");
}

let made = 0;

function newRow() {
  const element = $("row").content.firstElementChild.cloneNode(true);
  element.id = `row-${made++}`;
  const part = (name) => element.querySelector(name);
  return {
    element,
    name: part(".name"),
    nameText: part(".name .text"),
    you: part(".you"),
    extensions: part(".extensions"),
    dot: part(".dot"),
    status: part(".status"),
    label: part(".label"),
    until: part(".until"),
    why: part(".why"),
    message: part(".message .text"),
    calls: part(".calls"),
    time: part("time"),
    record: null,
    index: -1,
  };
}

function fill(row, person, index, same) {
  const { record } = person;
  const { element } = row;
  if (row.index !== index) {
    row.index = index;
    element.style.transform = `translateY(${index * rowHeight}px)`;
    element.setAttribute("aria-rowindex", index + 2);
  }
  set(row.time, record.since ? ago(record.since) : "");
  if (row.record === record) return;
  if (same && row.record?.sequence < record.sequence && !still.matches) {
    element.animate([{ backgroundColor: "color-mix(in srgb, var(--accent) 30%, var(--card))" }, {}], 900);
  }
  row.record = record;
  row.person = person;

  const own = isOwn(record);
  element.classList.toggle("own", own);
  element.classList.toggle("editable", mayEdit(record));
  row.you.hidden = !own;
  set(row.you, record.allowSeeMyPresence ? "you" : "you, hidden");
  set(row.nameText, nameOf(record));
  row.name.title = nameOf(record);
  const extensions = record.extensions.join(", ");
  set(row.extensions, extensions);
  row.extensions.title = extensions;
  const shown = look(record);
  const { until } = record.chosen;
  paintDot(row.dot, shown.icon, record.presenceStatus);
  set(row.label, shown.label);
  set(row.until, until ? `until ${moment(until)}` : "");
  set(row.why, shown.why && `· ${shown.why}`);
  row.status.title = [wordsOf(shown), row.until.textContent, ...shown.more.map(({ label }) => label)].filter(Boolean).join(", ");
  set(row.message, messageOf(record));
  row.message.parentElement.title = messageOf(record);
  row.time.title = record.since ? new Date(record.since).toLocaleString() : "";
  row.time.dateTime = record.since ? new Date(record.since).toISOString() : "";
  row.calls.replaceChildren(...shown.more.map(pill));
}

/** The shape shows the state or the call, the colour the presence that the chips count. */
function paintDot(element, icon, presence) {
  element.className = `dot ${icon}`;
  element.dataset.presence = presence;
}

function pill({ kind, label }) {
  const element = $("pill").content.firstElementChild.cloneNode(true);
  element.classList.add(kind);
  element.querySelector("use").setAttribute("href", `#icon-${ICONS[kind]}`);
  element.lastElementChild.textContent = label;
  return element;
}

function paintMine() {
  const own = byName.find(({ record }) => isOwn(record));
  $("mine").hidden = !own || !mayEdit(own.record);
  if (!own) return;
  const { record } = own;
  const [, dot, words, message] = $("mine").children;
  const shown = look(record);
  paintDot(dot, shown.icon, record.presenceStatus);
  set(words.firstElementChild, shown.label);
  set(words.lastElementChild, shown.why && `· ${shown.why}`);
  const until = record.chosen.until ? `until ${moment(record.chosen.until)}` : "";
  set(message, [messageOf(record), until, ...shown.more.map(({ label }) => label)].filter(Boolean).join(" · "));
}

const [short, long] = ["narrow", "short"].map((style) => new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style }));

function ago(then) {
  const relative = isTable() ? long : short;
  const minutes = Math.max(0, Math.floor((Date.now() - then) / 60e3));
  if (minutes < 1) return relative.format(0, "second");
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 24 * 60) return relative.format(-Math.floor(minutes / 60), "hour");
  const days = Math.floor(minutes / 60 / 24);
  return days < 7 ? relative.format(-days, "day") : new Date(then).toLocaleDateString(undefined, { dateStyle: "short" });
}

/** A time, with the date unless it is today. */
function moment(time) {
  const date = new Date(time);
  return date.toDateString() === new Date().toDateString()
    ? date.toLocaleTimeString(undefined, { timeStyle: "short" })
    : date.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
}

/** Whether there is room for a table with column heads. */
const isTable = () => $("rows").previousElementSibling.offsetHeight > 1;

/** The style sheet sets the height of a row, by the room and the text size. */
function measure() {
  const height = $("probe").offsetHeight;
  if (!height || height === rowHeight) return draw();
  const top = rowHeight && $("grid").scrollTop / rowHeight;
  rowHeight = height;
  $("rows").style.setProperty("--row-height", `${height}px`);
  for (const row of [...drawn.values(), ...spare]) row.index = -1;
  if (caller && byName) choose();
  $("grid").scrollTop = top * height;
  draw();
}

/** Moves the keyboard cursor to this row of the list. */
function goTo(index) {
  if (!shown.length) return;
  index = Math.max(0, Math.min(shown.length - 1, index));
  active = shown[index];
  const grid = $("grid");
  const head = isTable() ? grid.firstElementChild.offsetHeight : 0;
  const top = index * rowHeight;
  if (grid.scrollTop > top) grid.scrollTop = top;
  const last = top + rowHeight + head - grid.clientHeight;
  if (grid.scrollTop < last) grid.scrollTop = last;
  draw();
}

$("grid").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const at = shown.indexOf(active);
  const page = Math.max(1, Math.floor($("grid").clientHeight / rowHeight) - 2);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 };
  if (event.key in moves) goTo(moves[event.key]);
  else if (event.key === "Enter" || event.key === " ") active && mayEdit(active.record) && edit(active);
  else return;
  event.preventDefault();
});

$("grid").addEventListener("focus", () => {
  if ($("grid").matches(":focus-visible") && !shown.includes(active)) goTo(0);
});

$("grid").addEventListener("scroll", draw, { passive: true });

$("rows").addEventListener("click", (event) => {
  const row = event.target.closest(".row");
  const found = [...drawn.values()].find(({ element }) => element === row);
  // Selecting text to copy it is not a click.
  if (!found || !getSelection().isCollapsed) return;
  active = found.person;
  draw();
  if (mayEdit(active.record)) edit(active);
});

/** After a change of the filter: scrolls to the top, and announces the number. */
function refilter() {
  $("grid").scrollTop = 0;
  changed();
  clearTimeout(refilter.timer);
  refilter.timer = setTimeout(() => say(`${shown.length.toLocaleString()} of ${people.size.toLocaleString()} people`), 600);
}

$("search").addEventListener("input", () => {
  filter.words = plain($("search").value).split(/\s+/).filter(Boolean);
  refilter();
});

$("search").addEventListener("keydown", (event) => {
  if (event.key === "Escape" && $("search").value) {
    $("search").value = "";
    $("search").dispatchEvent(new Event("input"));
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    // The text that was just typed may not be applied yet.
    choose();
    $("grid").focus();
    goTo(0);
  } else return;
  event.preventDefault();
});

$("chips").addEventListener("click", (event) => {
  const chip = event.target.closest("button");
  if (!chip) return;
  filter.presence = chip.dataset.presence;
  for (const each of $("chips").children) each.setAttribute("aria-pressed", each === chip);
  refilter();
});

$("status").addEventListener("change", () => {
  filter.status = $("status").value;
  refilter();
});

$("sort").addEventListener("change", refilter);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (event.key !== "/" || typing || event.ctrlKey || event.altKey || event.metaKey || !caller) return;
  event.preventDefault();
  $("search").focus();
  $("search").select();
});

// --- the dialog --------------------------------------------------------------

/** The chosen status when the dialog opened: { record, status, message, until, edited }. */
let editing = null;

/** A time in the format of <input type=datetime-local>. */
function local(time) {
  const date = new Date(time);
  return new Date(time - date.getTimezoneOffset() * 60e3).toISOString().slice(0, 16);
}

function edit({ record }) {
  const { state, message, until } = record.chosen;
  const known = statuses.some(({ name }) => name === record.status);
  editing = { record, status: known ? record.status : state, message, edited: false };
  set($("editor-title"), isOwn(record) ? "My status" : `Status of ${nameOf(record)}`);
  $("choices").replaceChildren(...statuses.map(choice));
  $("message").value = message;
  $("until").value = until ? "at" : "";
  $("at").value = until ? local(until) : "";
  editing.until = `${$("until").value} ${$("at").value}`;
  $("at-label").hidden = !until;
  $("dnd").value = record.dndStatus;
  for (const flag of FLAGS) $(flag).checked = record[flag];
  set($("edit-error"), "");
  $("save").disabled = false;
  $("editor").showModal();
  ($("choices").querySelector(":checked") ?? $("choices").querySelector("input"))?.focus();
}

function choice({ name, label, state }) {
  const element = $("choice").content.firstElementChild.cloneNode(true);
  const [input, dot, text] = element.children;
  input.value = name;
  input.checked = name === editing.status;
  paintDot(dot, state || "not_set", PRESENCE[state] ?? "");
  text.textContent = label || name;
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
  if (!(time > Date.now())) throw new Error("The time must be in the future.");
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
  set($("edit-error"), "");
  const { record } = editing;
  try {
    const wanted = update();
    if (!Object.keys(wanted).length) return $("editor").close();
    const body = JSON.stringify(wanted);
    $("save").disabled = true;
    const path = `account/~/extension/${encodeURIComponent(record.extensionId)}/presence`;
    const fresh = await ask(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body });
    $("editor").close();
    say("Saved.");
    // The answer has no record if the user is now hidden from the caller.
    if (fresh) put(people, fresh);
  } catch (error) {
    if (error.status === 401) return logIn(ENDED);
    set($("edit-error"), error.message);
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
  const own = byName.find(({ record }) => isOwn(record));
  if (own) edit(own);
});

// --- login -------------------------------------------------------------------

/** Sends a request. Returns the JSON of the answer, or throws an error with a readable message. */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`v1/${path}`, options);
  } catch {
    throw Object.assign(new Error("The server cannot be reached."), { status: 0 });
  }
  if (answer.ok) return answer.json().catch(() => null);
  const { status, headers } = answer;
  throw Object.assign(new Error(await reason(answer)), { status, after: headers.get("Retry-After") });
}

/** Why the server refused: its own message, if it sent one. */
async function reason(answer) {
  const value = await answer.json().catch(() => null);
  return value?.error?.message ?? `The server answered with status ${answer.status}.`;
}

let session = new AbortController();

/** Shows the login form, and drops all data. */
function logIn(why = "") {
  session.abort();
  caller = null;
  people.clear();
  notices.clear();
  paintNotices();
  [byName, shown, active, lastId, incoming, loaded] = [null, [], null, null, null, false];
  for (const row of drawn.values()) row.element.remove();
  drawn.clear();
  spare.length = 0;
  if ($("editor").open) $("editor").close();
  $("top").hidden = $("board").hidden = true;
  $("login").hidden = false;
  $("password").value = "";
  set($("login-error"), why);
  ($("name").value ? $("password") : $("name")).focus();
}

function logOn(who) {
  caller = who;
  $("login").hidden = true;
  $("top").hidden = $("board").hidden = false;
  set($("caller"), [who.user ?? who.name, who.account !== "default" && who.account].filter(Boolean).join(" · "));
  const may = { self: "Enter on your own row changes your status.", admin: "Enter on a row changes that status." };
  set($("hint"), `Arrow keys move, slash searches. ${may[who.role] ?? ""}`);
  loaded = false;
  connection("connecting");
  measure();
  changed();
  session = new AbortController();
  follow(session.signal);
}

/** Retries until the server answers: it may be starting. */
async function start() {
  for (let pause = 1e3; ; pause = Math.min(LONGEST_PAUSE, pause * 2)) {
    try {
      return logOn(await ask("session"));
    } catch (error) {
      if (error.status === 401) return logIn();
      if (error.status === 404) return logIn(error.message);
      $("top").hidden = false;
      connection("stale");
      await new Promise((done) => {
        const timer = setTimeout(done, pause);
        hurry = () => (clearTimeout(timer), done());
      });
    }
  }
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? $("login").querySelector("button");
  button.disabled = true;
  set($("login-error"), "");
  try {
    const body = JSON.stringify({ name: $("name").value, password: $("password").value });
    const who = await ask("session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    $("password").value = "";
    logOn(who);
    $("board").focus();
  } catch (error) {
    const again = error.status === 429 && error.after ? ` Try again in ${error.after} seconds.` : "";
    set($("login-error"), error.status === 401 ? "The name or password is wrong." : error.message + again);
    $("password").select();
  } finally {
    button.disabled = false;
  }
});

$("logout").addEventListener("click", async () => {
  try {
    await ask("session", { method: "DELETE" });
    logIn();
  } catch (error) {
    if (error.status === 401) logIn();
    else say(error.message);
  }
});

$("again").addEventListener("click", () => hurry());
addEventListener("online", () => hurry());
document.addEventListener("visibilitychange", () => document.hidden || hurry());
new ResizeObserver(measure).observe($("probe"));
addEventListener("resize", draw);
// Updates the relative times.
setInterval(draw, 20e3);

start();
