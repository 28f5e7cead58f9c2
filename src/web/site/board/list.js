// The list of people: only the visible rows exist, each at its own position.

import { $, locale, say, set, t } from "./core.js";
import { ICONS, isOwn, labelOfStatus, look, mayEdit, messageOf, moment, nameOf, names, paintDot, plain } from "./people.js";
import { PRESENCES, RANK, sorted, state, wordsOf } from "./people.js";

/** The number of rows beyond each edge of the visible part. */
const MORE = 6;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** What the list asks of the other parts. */
export const list = { edit() {}, chosen() {} };

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

/** Removes everybody from the page. */
export function clear() {
  [shown, active] = [[], null];
  for (const row of drawn.values()) row.element.remove();
  drawn.clear();
  spare.length = 0;
}

/** Fills in the statuses that can be chosen. */
export function learnStatuses() {
  const options = state.statuses.map(({ name, label }) => new Option(labelOfStatus(name, label), name));
  $("status").replaceChildren($("status").firstElementChild, ...options);
  $("status").value = filter.status;
  if ($("status").selectedIndex < 0) $("status").value = filter.status = "";
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

  shown = all.filter(
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
  set($("nobody"), t(!state.loaded ? "list.loading" : state.people.size ? "list.nobody" : "list.empty"));
  $("grid").setAttribute("aria-rowcount", shown.length + 1);
  $("rows").style.height = `${shown.length * rowHeight}px`;
  list.chosen();
}

/** Puts only the visible rows into the document. */
function paint() {
  const { scrollTop, clientHeight } = $("grid");
  if (!rowHeight || !clientHeight) return;
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
  set(row.you, t(record.allowSeeMyPresence ? "list.you" : "list.hidden"));
  set(row.nameText, nameOf(record));
  row.name.title = nameOf(record);
  const extensions = record.extensions.join(", ");
  set(row.extensions, extensions);
  row.extensions.title = extensions;
  const shown = look(record);
  const { until } = record.chosen;
  paintDot(row.dot, shown.icon, record.presenceStatus);
  set(row.label, shown.label);
  set(row.until, until ? t("status.until", { time: moment(until) }) : "");
  set(row.why, shown.why && `· ${shown.why}`);
  row.status.title = [wordsOf(shown), row.until.textContent, ...shown.more.map(({ label }) => label)].filter(Boolean).join(", ");
  set(row.message, messageOf(record));
  row.message.parentElement.title = messageOf(record);
  row.time.title = record.since ? new Date(record.since).toLocaleString(locale) : "";
  row.time.dateTime = record.since ? new Date(record.since).toISOString() : "";
  row.calls.replaceChildren(...shown.more.map(pill));
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
  const relative = isTable() ? long : short;
  const minutes = Math.max(0, Math.floor((Date.now() - then) / 60e3));
  if (minutes < 1) return relative.format(0, "second");
  if (minutes < 60) return relative.format(-minutes, "minute");
  if (minutes < 24 * 60) return relative.format(-Math.floor(minutes / 60), "hour");
  const days = Math.floor(minutes / 60 / 24);
  return days < 7 ? relative.format(-days, "day") : new Date(then).toLocaleDateString(locale, { dateStyle: "short" });
}

/** Whether there is room for a table with column heads. */
const isTable = () => $("rows").previousElementSibling.offsetHeight > 1;

/** The style sheet sets the height of a row, by the room and the text size. */
export function measure() {
  const height = $("probe").offsetHeight;
  if (!height || height === rowHeight) return draw();
  const top = rowHeight && $("grid").scrollTop / rowHeight;
  rowHeight = height;
  $("rows").style.setProperty("--row-height", `${height}px`);
  for (const row of [...drawn.values(), ...spare]) row.index = -1;
  if (state.caller) choose();
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
  else if (event.key === "Enter" || event.key === " ") active && mayEdit(active.record) && list.edit(active);
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
  if (mayEdit(active.record)) list.edit(active);
});

/** After a change of the filter: scrolls to the top, and announces the number. */
function refilter() {
  $("grid").scrollTop = 0;
  changed();
  clearTimeout(refilter.timer);
  refilter.timer = setTimeout(() => {
    const [count, all] = [shown.length, state.people.size].map((it) => it.toLocaleString(locale));
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

new ResizeObserver(measure).observe($("probe"));
addEventListener("resize", draw);
// Updates the relative times.
setInterval(draw, 20e3);
