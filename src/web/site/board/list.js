// The list of people: only the visible rows exist, each at its own position.

import { $, kept, locale, say, set, t } from "./core.js";
import { actionsOf, paintTalk, tick } from "./calls.js";
import { isWatched, watch } from "./notices.js";
import { ICONS, isOlder, isOwn, labelOfStatus, mayEdit, messageOf, moment, nameOf, names, paintDot, plain } from "./people.js";
import { PRESENCES, RANK, sorted, state, wordsOf } from "./people.js";

/** The number of rows beyond each edge of the visible part. */
const MORE = 6;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** What the list asks of the other parts. */
export const list = { edit() {}, chosen() {} };

const filter = { words: [], presence: "", status: "", group: "" };
let favourites = new Set();
let collapsed = new Set();

// The list has an item for each row: { person, group } or { section, count }. They stay the
// same objects, by which the rows are identified; a person in two groups has two items.
const items = new WeakMap();
const sections = new Map();

/** The items that match, in the order shown, and where each begins and the last ends, in px. */
let shown = [];
let tops = [0];
/** The number of people that match. */
let matches = 0;
/** The item that the keyboard cursor is on. */
let active = null;
let stale = true;
let asked = false;
let rowHeight = 0;
let sectionHeight = 0;
/** The row elements in use, by item, in the order of the document. */
let drawn = new Map();
const spare = { person: [], section: [] };

/** People or filter changed: evaluated and drawn once, with the next frame. */
export function changed() {
  stale = true;
  draw();
}

export function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (!state.caller) return;
    if (stale) choose();
    paint();
  });
}

/** Begins with what this person's browser has kept. */
export function begin() {
  favourites = new Set(kept.get("favourites", []));
  collapsed = new Set(kept.get("collapsed", []));
  filter.group = kept.get("group", "");
  $("sort").value = kept.get("sort", "name");
  compact(kept.get("compact", false));
  measure();
  changed();
}

/** Removes everybody from the page. */
export function clear() {
  [shown, tops, active] = [[], [0], null];
  for (const row of drawn.values()) row.element.remove();
  drawn.clear();
  spare.person.length = spare.section.length = 0;
}

/** Fills in the statuses that can be chosen. */
export function learnStatuses() {
  const options = state.statuses.map(({ name, label }) => new Option(labelOfStatus(name, label), name));
  $("status").replaceChildren($("status").firstElementChild, ...options);
  $("status").value = filter.status;
  if ($("status").selectedIndex < 0) $("status").value = filter.status = "";
}

/** Fills in the groups with the number of their people. */
function learnGroups(all) {
  const counts = new Map();
  for (const { record } of all) for (const group of record.groups ?? []) counts.set(group, (counts.get(group) ?? 0) + 1);
  const groups = [...counts].sort(([a], [b]) => names.compare(a, b));
  const now = JSON.stringify(groups);
  if (learnGroups.last === now) return;
  learnGroups.last = now;
  const options = groups.map(([group, count]) => new Option(`${group} (${count.toLocaleString(locale)})`, group));
  $("group").replaceChildren(new Option(t("list.all"), ""), ...options);
  // While nobody is loaded yet, the kept group stays the wanted one.
  if (state.loaded && !counts.has(filter.group)) filter.group = "";
  $("group").value = filter.group;
  $("group-pick").hidden = $("sort").lastElementChild.hidden = !groups.length;
}

/** The person's one item in a group. */
function itemOf(person, group) {
  if (!items.has(person)) items.set(person, new Map());
  const own = items.get(person);
  if (!own.has(group)) own.set(group, { person, group });
  return own.get(group);
}

/** The people in sections: the favourites, each group, and who is in none. */
function inSections(people) {
  const members = new Map();
  const add = (section, person) => members.get(section)?.push(person) ?? members.set(section, [person]);
  for (const person of people) {
    const { groups, extensionId } = person.record;
    if (favourites.has(extensionId)) add("*", person);
    for (const group of groups?.length ? groups : [""]) add(group, person);
  }
  const place = (section) => (section === "*" ? 0 : section ? 1 : 2);
  const ordered = [...members].sort(([a], [b]) => place(a) - place(b) || names.compare(a, b));
  return ordered.flatMap(([section, people]) => {
    if (!sections.has(section)) sections.set(section, { section });
    const head = Object.assign(sections.get(section), { count: people.length });
    return collapsed.has(section) ? [head] : [head, ...people.map((person) => itemOf(person, section))];
  });
}

/** Selects the people to show, and counts. */
function choose() {
  stale = false;
  const all = sorted();
  const counts = { "": all.length };
  for (const { record } of all) counts[record.presenceStatus] = (counts[record.presenceStatus] ?? 0) + 1;
  for (const chip of $("chips").children) {
    set(chip.lastElementChild, (counts[chip.dataset.presence] ?? 0).toLocaleString(locale));
  }
  learnGroups(all);

  let people = all.filter(
    ({ record, text }) =>
      filter.words.every((word) => text.includes(word)) &&
      (!filter.presence || record.presenceStatus === filter.presence) &&
      (!filter.status || (record.status || record.state) === filter.status) &&
      (!filter.group || record.groups?.includes(filter.group)),
  );
  matches = people.length;
  const sort = $("sort").value;
  if (sort === "status") {
    const alike = new Map();
    for (const person of people) {
      const { record, look } = person;
      const key = `${PRESENCES.indexOf(record.presenceStatus)}${RANK.indexOf(record.state)} ${wordsOf(look)}`;
      if (!alike.has(key)) alike.set(key, []);
      alike.get(key).push(person);
    }
    people = [...alike].sort(([a], [b]) => names.compare(a, b)).flatMap(([, members]) => members);
  } else if (sort === "since") people.sort(({ record: a }, { record: b }) => (b.since ?? 0) - (a.since ?? 0));
  if (sort === "group") shown = inSections(people);
  else {
    if (favourites.size) {
      const isOne = ({ record }) => favourites.has(record.extensionId);
      people = [...people.filter(isOne), ...people.filter((person) => !isOne(person))];
    }
    shown = people.map((person) => itemOf(person, ""));
  }
  tops = new Float64Array(shown.length + 1);
  shown.forEach(({ person }, at) => (tops[at + 1] = tops[at] + (person ? rowHeight : sectionHeight)));

  $("filter").classList.toggle("set", Boolean(filter.status || filter.group));
  $("grid").hidden = !shown.length;
  $("nobody").hidden = shown.length > 0;
  set($("nobody"), t(!state.loaded ? "list.loading" : state.people.size ? "list.nobody" : "list.empty"));
  $("grid").setAttribute("aria-rowcount", shown.length + 1);
  $("rows").style.height = `${tops.at(-1)}px`;
  list.chosen();
}

/** The index of the row at a height. */
function rowAt(top) {
  let [low, high] = [0, shown.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tops[middle + 1] <= top) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts only the visible rows into the document. */
function paint() {
  const { scrollTop, clientHeight } = $("grid");
  if (!rowHeight || !clientHeight) return;
  const from = Math.max(0, rowAt(scrollTop) - MORE);
  const to = Math.min(shown.length, rowAt(scrollTop + clientHeight) + 1 + MORE);
  const before = drawn;
  drawn = new Map();
  for (let index = from; index < to; index++) {
    drawn.set(shown[index], before.get(shown[index]));
    before.delete(shown[index]);
  }
  for (const row of before.values()) spare[row.kind].push(row);

  let next = $("rows").firstElementChild;
  let index = from;
  let activeRow = "";
  for (const [item, known] of drawn) {
    const kind = item.person ? "person" : "section";
    const row = known ?? spare[kind].pop() ?? (kind === "person" ? newRow() : newSection());
    drawn.set(item, row);
    place(row, index++);
    if (kind === "person") fill(row, item, known !== undefined);
    else fillSection(row, item);
    if (item === active) activeRow = row.element.id;
    row.element.classList.toggle("active", item === active);
    // In the same order in the document, which screen readers follow.
    if (row.element === next) next = next.nextElementSibling;
    else $("rows").insertBefore(row.element, next);
  }
  for (const row of [...spare.person, ...spare.section]) row.element.remove();
  if (activeRow) $("grid").setAttribute("aria-activedescendant", activeRow);
  else $("grid").removeAttribute("aria-activedescendant");
}

let made = 0;

function newElement(template) {
  const element = $(template).content.firstElementChild.cloneNode(true);
  element.id = `row-${made++}`;
  return element;
}

function newSection() {
  const element = newElement("section");
  const [words, count] = element.querySelector("button").children;
  return { kind: "section", element, button: words.parentElement, words, count, top: -1, index: -1 };
}

function newRow() {
  const element = newElement("row");
  const part = (name) => element.querySelector(name);
  const action = (name) => part(`[data-do=${name}]`);
  return {
    kind: "person",
    element,
    name: part(".name"),
    avatar: part(".avatar"),
    who: part(".who"),
    nameText: part(".name .text"),
    you: part(".you"),
    title: part(".title"),
    extensions: part(".extensions"),
    dot: part(".dot"),
    status: part(".status"),
    label: part(".label"),
    until: part(".until"),
    why: part(".why"),
    talk: part(".talk"),
    message: part(".message .text"),
    calls: part(".calls"),
    time: part(".since time"),
    actions: { call: action("call"), pickup: action("pickup"), mail: action("mail"), bell: action("bell"), star: action("star") },
    record: null,
    index: -1,
    top: -1,
  };
}

function place(row, index) {
  if (row.index !== index) {
    row.index = index;
    row.element.setAttribute("aria-rowindex", index + 2);
  }
  if (row.top !== tops[index]) {
    row.top = tops[index];
    row.element.style.transform = `translateY(${row.top}px)`;
  }
}

function fillSection(row, { section, count }) {
  set(row.words, section === "*" ? t("list.favourites") : section || t("list.groupless"));
  set(row.count, count.toLocaleString(locale));
  row.button.setAttribute("aria-expanded", !collapsed.has(section));
}

function fill(row, { person }, same) {
  const { record, look } = person;
  const { element } = row;
  set(row.time, record.since ? ago(record.since) : "");
  const calls = state.calls.get(record.extensionId);
  if (row.record !== record || row.talking !== calls) paintTalk(row.talk, calls);
  row.talking = calls;
  paintActions(row, record);
  if (row.record === record) return;
  const isNew = same && row.record && isOlder(row.record, record);
  if (isNew && !still.matches) {
    element.animate([{ backgroundColor: "color-mix(in srgb, var(--accent) 30%, var(--card))" }, {}], 900);
  }
  row.record = record;

  const own = isOwn(record);
  element.classList.toggle("own", own);
  element.classList.toggle("editable", mayEdit(record));
  row.you.hidden = !own;
  set(row.you, t(record.allowSeeMyPresence ? "list.you" : "list.hidden"));
  const name = nameOf(record);
  set(row.nameText, name);
  set(row.avatar, initials(name));
  row.avatar.style.setProperty("--hue", hue(name));
  row.who.classList.toggle("titled", Boolean(record.title || record.groups?.length));
  set(row.title, [record.title, record.groups?.join(", ")].filter(Boolean).join(" · "));
  row.name.title = [name, row.title.textContent, record.email].filter(Boolean).join("\n");
  const extensions = record.extensions.join(", ");
  set(row.extensions, extensions);
  row.extensions.title = extensions;
  const { until } = record.chosen;
  paintDot(row.dot, look.icon, record.presenceStatus);
  set(row.label, look.label);
  set(row.until, until ? t("status.until", { time: moment(until) }) : "");
  set(row.why, look.why && `· ${look.why}`);
  row.status.title = [wordsOf(look), row.until.textContent, ...look.more.map(({ label }) => label)].filter(Boolean).join(", ");
  set(row.message, messageOf(record));
  row.message.parentElement.title = messageOf(record);
  row.time.title = record.since ? new Date(record.since).toLocaleString(locale) : "";
  row.time.dateTime = record.since ? new Date(record.since).toISOString() : "";
  if (row.calls.firstChild || look.more.length) row.calls.replaceChildren(...look.more.map(pill));
}

/** The buttons that the caller may press here. */
function paintActions(row, record) {
  const { call, pickup } = actionsOf(record, row.talking);
  const star = favourites.has(record.extensionId);
  const watched = isWatched(record);
  const bell = watched || (!isOwn(record) && record.presenceStatus !== "Available");
  const name = nameOf(record);
  const now = [call, pickup, star, watched, bell, record.email, name].join("\n");
  if (row.able === now) return;
  row.able = now;
  const { actions } = row;
  const show = (button, is, key) => {
    button.hidden = !is;
    const words = t(key, { name });
    button.title = words;
    button.setAttribute("aria-label", words);
  };
  show(actions.call, call, "calls.call");
  show(actions.pickup, pickup, "calls.pickup");
  show(actions.mail, record.email, "list.mail");
  show(actions.bell, bell, "notice.watch");
  show(actions.star, true, "list.favourite");
  if (record.email) actions.mail.href = `mailto:${encodeURIComponent(record.email)}`;
  actions.bell.setAttribute("aria-pressed", watched);
  actions.star.setAttribute("aria-pressed", star);
}

/** The first letters of the first and the last word. */
function initials(name) {
  const words = name.match(/[\p{L}\p{N}][^\s.,_-]*/gu) ?? [""];
  const first = ([letter = ""]) => letter.toUpperCase();
  return words.length > 1 ? first(words[0]) + first(words.at(-1)) : first(words[0]);
}

/** A colour of the name's own; the style sheet gives it the lightness that has contrast. */
function hue(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) | 0;
  return Math.abs(hash * 47) % 360;
}

function pill({ kind, label }) {
  const element = $("pill").content.firstElementChild.cloneNode(true);
  element.classList.add(kind);
  element.querySelector("use").setAttribute("href", `#icon-${ICONS[kind]}`);
  element.lastElementChild.textContent = label;
  return element;
}

const [short, long] = ["narrow", "short"].map((style) => new Intl.RelativeTimeFormat(locale, { numeric: "auto", style }));

function ago(then) {
  const relative = isTable ? long : short;
  const minutes = Math.max(0, Math.floor((Date.now() - then) / 60e3));
  if (minutes < 1) return relative.format(0, "second");
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 24 * 60) return relative.format(-Math.floor(minutes / 60), "hour");
  const days = Math.floor(minutes / 60 / 24);
  return days < 7 ? relative.format(-days, "day") : new Date(then).toLocaleDateString(locale, { dateStyle: "short" });
}

/** Whether there is room for a table with column heads. */
let isTable = true;

/** The style sheet sets the height of a row, by the room and the text size. */
export function measure() {
  const height = $("probe").offsetHeight;
  // The heads of the columns are hidden while nobody is listed; the probe is not.
  if (height) isTable = $("probe").offsetWidth === 1;
  if (!height || height === rowHeight) return draw();
  const at = rowAt($("grid").scrollTop);
  const within = rowHeight && ($("grid").scrollTop - tops[at]) / rowHeight;
  rowHeight = height;
  sectionHeight = $("probe-group").offsetHeight;
  $("rows").style.setProperty("--row-height", `${height}px`);
  if (state.caller) choose();
  $("grid").scrollTop = (tops[at] ?? 0) + within * height;
  draw();
}

/** Moves the keyboard cursor to this row of the list. */
function goTo(index) {
  if (!shown.length) return;
  index = Math.max(0, Math.min(shown.length - 1, index));
  active = shown[index];
  const grid = $("grid");
  const head = isTable ? grid.firstElementChild.offsetHeight : 0;
  if (grid.scrollTop > tops[index]) grid.scrollTop = tops[index];
  const last = tops[index + 1] + head - grid.clientHeight;
  if (grid.scrollTop < last) grid.scrollTop = last;
  draw();
}

// --- what can be done --------------------------------------------------------

/** The keys of a row's buttons. */
const KEYS = { c: "call", p: "pickup", m: "mail", b: "bell", f: "star" };

function press(name) {
  const button = drawn.get(active)?.actions?.[name];
  if (button && !button.hidden) button.click();
}

function fold({ section }) {
  if (!collapsed.delete(section)) collapsed.add(section);
  kept.set("collapsed", [...collapsed]);
  changed();
}

$("grid").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const at = shown.indexOf(active);
  const page = Math.max(1, Math.floor($("grid").clientHeight / rowHeight) - 2);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 };
  if (event.key in moves) goTo(moves[event.key]);
  else if (!active) return;
  else if (event.key === "Enter" || event.key === " ") {
    if (!active.person) fold(active);
    else if (mayEdit(active.person.record)) list.edit(active.person);
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    if (!active.person && collapsed.has(active.section) === (event.key === "ArrowRight")) fold(active);
  } else if (event.key in KEYS) press(KEYS[event.key]);
  else return;
  event.preventDefault();
});

$("grid").addEventListener("focus", () => {
  if ($("grid").matches(":focus-visible") && !shown.includes(active)) goTo(0);
});

$("grid").addEventListener("scroll", draw, { passive: true });

$("rows").addEventListener("click", (event) => {
  const element = event.target.closest(".row");
  const [item] = [...drawn].find(([, row]) => row.element === element) ?? [];
  const button = event.target.closest("[data-do]");
  // Selecting text to copy it is not a click.
  if (!item || (!button && !getSelection().isCollapsed)) return;
  active = item;
  draw();
  const name = button?.dataset.do;
  if (!item.person) fold(item);
  else if (name === "star") favour(item.person.record);
  else if (name === "bell") watch(item.person.record), draw();
  else if (name === "call" || name === "pickup") actionsOf(item.person.record, state.calls.get(item.person.record.extensionId))[name]?.();
  else if (!name && mayEdit(item.person.record)) list.edit(item.person);
});

function favour({ extensionId }) {
  if (!favourites.delete(extensionId)) favourites.add(extensionId);
  kept.set("favourites", [...favourites]);
  changed();
}

function compact(is) {
  document.documentElement.classList.toggle("compact", is);
  $("compact").setAttribute("aria-pressed", is);
}

$("compact").addEventListener("click", () => {
  const is = $("compact").getAttribute("aria-pressed") !== "true";
  kept.set("compact", is);
  compact(is);
});

$("filter").addEventListener("click", () => {
  $("filter").setAttribute("aria-expanded", $("filter").getAttribute("aria-expanded") !== "true");
});

/** After a change of the filter: scrolls to the top, and announces the number. */
function refilter() {
  $("grid").scrollTop = 0;
  changed();
  clearTimeout(refilter.timer);
  refilter.timer = setTimeout(() => {
    const [count, all] = [matches, state.people.size].map((it) => it.toLocaleString(locale));
    say(t("list.count", { count, all }));
  }, 600);
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
    goTo(shown.findIndex(({ person }) => person));
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

for (const name of ["status", "group", "sort"]) {
  $(name).addEventListener("change", () => {
    if (name !== "sort") filter[name] = $(name).value;
    if (name !== "status") kept.set(name, $(name).value);
    refilter();
  });
}

new ResizeObserver(measure).observe($("probe"));
addEventListener("resize", draw);
// Updates the relative times.
setInterval(draw, 20e3);
setInterval(() => tick(drawn.values()), 1e3);
