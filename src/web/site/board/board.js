// Starts the page: the login, the views and the way to them.
//
// A view but the people's is a module, loaded when it is first shown, with a function
// `show(element, { caller, signal, statuses, say }, rest)`: it fills the element and stops its
// work when the signal aborts. `rest` is the rest of the address, as ["users", "alice"] of
// #/administration/users/alice. If `show` returns a function, that function is called with the
// new rest while the view stays; otherwise the view is shown anew.

import { $, ask, h, kept, say, set, t, translate } from "./core.js";
import * as calls from "./calls.js";
import * as list from "./list.js";
import * as notices from "./notices.js";
import { connection, follow, forget, hurry, LONGEST_PAUSE, on, pause, state } from "./people.js";
import { edit, menu, paintOwn } from "./status.js";

// --- views -------------------------------------------------------------------

/** The views in the order of the links, each with the question whether the caller may see it. */
const VIEWS = {
  people: { may: () => true },
  queues: { may: () => hasQueues, load: () => import("./queues.js") },
  settings: { may: ({ may }) => may?.settings, load: () => import("./settings.js") },
  administration: { may: ({ may }) => may?.configure, load: () => import("./administration.js") },
};

/** Whether there are queues for the caller, which the session does not say. */
let hasQueues = false;

async function findQueues(signal) {
  hasQueues = await ask("account/~/queues", { signal }).then(({ queues }) => queues.length > 0, () => false);
  if (signal.aborted || !hasQueues) return;
  paintLinks();
  route();
}

/** The view that is shown: { name, stop, go }. */
let view = { name: "", stop() {} };

/** Shows the view of the address; an unknown address leads to the people. */
export async function route() {
  if (!state.caller) return;
  const [, asked, ...rest] = location.hash.split("/").map(decodeURIComponent);
  const name = VIEWS[asked]?.may(state.caller) ? asked : "people";
  const before = view.name;
  if (name === before && view.go) return view.go(rest);
  if (name === before && name === "people") return;
  view.stop();
  const stop = new AbortController();
  view = { name, stop: () => stop.abort() };
  paintLinks();
  document.title = name === "people" ? t("board.title") : `${t(`board.${name}`)} · ${t("board.title")}`;
  const isPeople = name === "people";
  const element = $("view");
  $("board").hidden = !isPeople;
  element.hidden = isPeople;
  element.replaceChildren();
  element.className = `view ${name}`;
  element.setAttribute("aria-label", t(`board.${name}`));
  // The first view leaves the focus where it is.
  if (before) (isPeople ? $("board") : element).focus();
  if (isPeople) return list.measure();
  const mine = view;
  try {
    const { caller, statuses } = state;
    const go = await (await VIEWS[name].load()).show(element, { caller, signal: stop.signal, statuses, say }, rest);
    if (typeof go === "function") mine.go = go;
  } catch (error) {
    if (stop.signal.aborted) return;
    if (error.status === 401) return on.ended();
    if (!("status" in error)) console.error(error);
    element.append(h("p", { class: "error notice", role: "alert" }, error.message));
  }
}

/** Shows the links to the views that the caller may see, if there is more than one. */
function paintLinks() {
  const names = Object.keys(VIEWS).filter((name) => VIEWS[name].may(state.caller));
  const link = (name) => h("a", { href: `#/${name}`, "aria-current": name === view.name && "page" }, t(`board.${name}`));
  $("nav").replaceChildren(...names.map(link));
  $("nav").hidden = names.length < 2;
}

addEventListener("hashchange", route);

// --- login -------------------------------------------------------------------

let session = new AbortController();

/** Shows the login form, and drops all data. */
function logIn(why = "") {
  session.abort();
  view.stop();
  view = { name: "", stop() {} };
  state.caller = null;
  forget();
  notices.clear();
  list.clear();
  menu.close();
  set($("told"), "");
  if ($("editor").open) $("editor").close();
  $("top").hidden = $("board").hidden = $("view").hidden = true;
  $("view").replaceChildren();
  $("login").hidden = false;
  $("password").value = "";
  set($("login-error"), why);
  ($("name").value ? $("password") : $("name")).focus();
}

function logOn(who) {
  state.caller = who;
  kept.who = who.name;
  $("login").hidden = true;
  $("top").hidden = false;
  const name = who.displayName ?? who.user ?? who.name;
  set($("caller"), [name, who.account !== "default" && who.account].filter(Boolean).join(" · "));
  const may = { self: t("list.hintSelf"), admin: t("list.hintAdmin") };
  set($("hint"), `${t("list.hint")} ${may[who.role] ?? ""}`);
  connection("connecting");
  session = new AbortController();
  hasQueues = false;
  $("grid").classList.toggle("may-call", Boolean(who.may?.call));
  route();
  list.begin();
  notices.begin();
  follow(session.signal);
  findQueues(session.signal);
}

/** Retries until the server answers: it may be starting. */
async function start() {
  for (let time = 1e3; ; time = Math.min(LONGEST_PAUSE, time * 2)) {
    try {
      await translate();
      return logOn(await ask("session"));
    } catch (error) {
      if (error.status === 401) return logIn();
      if (error.status === 404) return logIn(error.message);
      $("top").hidden = false;
      connection("stale");
      await pause(time);
    }
  }
}

$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter ?? $("login").querySelector("button");
  button.disabled = true;
  set($("login-error"), "");
  for (const field of [$("name"), $("password")]) field.removeAttribute("aria-invalid");
  try {
    const body = { name: $("name").value, password: $("password").value };
    const who = await ask("session", { method: "POST", body });
    $("password").value = "";
    logOn(who);
    ($("board").hidden ? $("view") : $("board")).focus();
  } catch (error) {
    const again = error.status === 429 && error.after ? ` ${t("login.again", { seconds: error.after })}` : "";
    set($("login-error"), error.status === 401 ? t("login.wrong") : error.message + again);
    if (error.status === 401) for (const field of [$("name"), $("password")]) field.setAttribute("aria-invalid", "true");
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

on.ended = () => logIn(t("login.ended"));
on.changed = () => {
  notices.look();
  list.changed();
};
on.statuses = () => {
  list.learnStatuses();
  // A stream begins with all calls, where the account shows them: those before it may be over.
  state.calls.clear();
  list.draw();
};
on.calls = (extensionId, all) => {
  calls.put(extensionId, all);
  list.draw();
};
on.push = notices.push;
list.list.edit = edit;
list.list.chosen = paintOwn;

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog, [contenteditable]");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || !state.caller) return;
  if (event.key !== "/" && event.key !== "s") return;
  event.preventDefault();
  if (event.key === "s") return menu.open();
  if ($("board").hidden) {
    location.hash = "#/people";
    route();
  }
  $("search").focus();
  $("search").select();
});

$("again").addEventListener("click", hurry);
addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => document.hidden || hurry());

start();
