// One's own settings: what calls and statuses do, as far as the administrator allows it, and
// one's own password.

import { $, ask, h, say, t } from "./core.js";
import { choice, fault, field } from "./form.js";
import { passwordForm } from "./password.js";
import { isOwn, labelOfStatus, nameOf, on, sorted, state } from "./people.js";
import { sortable } from "./sortable.js";

const ORIGINS = ["forwardInternal", "forwardExternal"];
const WHENS = ["always", "noAnswer", "busy"];
/** Targets of forwards that need no number. */
const WORDS = ["none", "voicemail", "mobile"];
const KINDS = ["internal", "voicemail", "mobile"];
/** What applies if nobody has set it. */
const BUILT_IN = { ringTimeout: 20, ringMobile: false, push: true };

const at = (value, path) => path.reduce((it, key) => it?.[key], value);
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

function put(object, path, value) {
  path.slice(0, -1).reduce((it, key) => (it[key] ??= {}), object)[path.at(-1)] = value;
}

/** Removes a value, and the objects that are empty then. */
function cut(object, [key, ...rest]) {
  if (rest.length && object[key]) cut(object[key], rest);
  if (!rest.length || (object[key] && !Object.keys(object[key]).length)) delete object[key];
}

/** A merge patch: what was changed and is not saved. It survives a look at the list of people. */
let patch = {};
let owner = null;

addEventListener("beforeunload", (event) => {
  if (owner && owner === state.caller && Object.keys(patch).length) event.preventDefault();
});

export async function show(element, { caller, signal, statuses }) {
  if (owner !== caller) [patch, owner] = [{}, caller];
  const url = `account/~/extension/${encodeURIComponent(caller.extensionId)}/settings`;
  let saved = await ask(url, { signal });
  /** The items that are shown, by their path as a text: { path, input }. */
  let items = new Map();

  // The page of the people may not have loaded them yet.
  if (!statuses.length) ({ statuses } = await ask("account/~/statuses", { signal }));
  const named = statuses.map(({ name, label }) => [name, labelOfStatus(name, label)]);
  const labelOf = (status) => named.find(([name]) => name === status)?.[1] ?? status;

  // --- values ------------------------------------------------------------------

  /** One's own value, null for none. */
  function own(path) {
    for (let depth = 1; depth <= path.length; depth++) if (at(patch, path.slice(0, depth)) === null) return null;
    return at(patch, path) ?? at(saved, path) ?? null;
  }

  /**
   * The value without one's own: that for every status, else the administrator's, which is not
   * known as long as one's own value lies over it.
   */
  function other(path) {
    const common = path[0] === "statuses" ? ["statuses", "default", ...path.slice(2)] : path;
    const mine = common[1] === path[1] ? null : own(common);
    if (mine !== null) return { value: mine, key: "settings.common" };
    const known = [path, common].find((it) => at(saved.effective, it) !== undefined) ?? path;
    if (at(saved.setBy, known)?.startsWith("own")) return { value: null, key: "settings.asSet" };
    const value = at(saved.effective, known) ?? null;
    const builtIn = BUILT_IN[path.at(-1)];
    return value === null && builtIn !== undefined ? { value: builtIn, key: "admin.default" } : { value, key: "settings.administrator" };
  }

  /** That value as a text that says where it comes from, or that there is none. */
  function otherwise(path, text = String, unset = t("settings.unset")) {
    const { value, key } = other(path);
    return value === null && key === "settings.administrator" ? unset : t(key, { value: text(value) });
  }

  function write(path, value) {
    cut(patch, path);
    if (!same(value, at(saved, path))) put(patch, path, value);
    bar();
  }

  // --- items -------------------------------------------------------------------

  /**
   * A field with a button that gives it back. `make` gets a function that takes the new values
   * of the paths, null for none, and whether the item is locked; it returns the control.
   */
  function item(area, label, paths, make, hint) {
    const { items: areas, mobileNumber } = saved.allowed;
    const why = !areas.includes(area) ? t("settings.locked") : area === "mobile" && mobileNumber === false ? t("settings.noNumbers") : "";
    const locked = Boolean(why);
    // A number that is no longer allowed can be given back.
    const refresh = () => (back.hidden = !areas.includes(area) || paths.every((path) => own(path) === null));
    const set = (...values) => {
      paths.forEach((path, at) => write(path, values[at] ?? null));
      fault(control);
      refresh();
    };
    const back = h("button", { type: "button", class: "quiet back", title: t("settings.back"), "aria-label": t("settings.backItem", { item: label }), onclick: give }, "↺");
    const control = make(set, locked);
    const reason = saved.ignored?.find((it) => paths.some((path) => path.join(".") === it.item))?.reason;
    const wrong = reason && at(patch, paths[0]) === undefined ? t("settings.ignored", { reason }) : "";
    const element = field(label, control, { beside: back, hint: why || hint, wrong });
    element.dataset.path = paths[0].join(".");
    for (const it of element.querySelectorAll("input, select")) it.disabled = locked;
    for (const path of paths) items.set(path.join("."), { path, input: control });
    refresh();
    function give() {
      set();
      const fresh = item(area, label, paths, make, hint);
      element.replaceWith(fresh);
      fresh.querySelector("input, select, li button").focus();
      say(t("settings.given", { item: label }));
    }
    return element;
  }

  const word = (area, label, path, words) =>
    item(area, label, [path], (set) => {
      const text = (value) => words.find(([it]) => same(it, value))?.[1] ?? value;
      const options = [["", otherwise(path, text)], ...words.map(([value, text]) => [JSON.stringify(value), text])];
      const value = own(path);
      return choice(options, value === null ? "" : JSON.stringify(value), { onchange: ({ target }) => set(JSON.parse(target.value || null)) });
    });

  const yesNo = (area, label, path) => word(area, label, path, [[true, t("settings.yes")], [false, t("settings.no")]]);

  const typed = (area, label, path, attributes) =>
    item(area, label, [path], (set) => {
      const value = ({ value, type }) => (type === "number" && value ? Number(value) : value.trim() || null);
      const input = h("input", { autocomplete: "off", placeholder: otherwise(path), oninput: ({ target }) => set(value(target)), ...attributes });
      input.value = own(path) ?? "";
      return input;
    });

  /** Offers the colleagues' extensions. */
  function suggest() {
    const others = sorted().filter(({ record }) => !isOwn(record));
    const option = (value, record) => h("option", { value, label: nameOf(record) });
    $("colleagues").replaceChildren(...others.flatMap(({ record }) => record.extensions.map((it) => option(it, record))));
  }

  function forward(path, label) {
    const { forward, unavailable } = saved.allowed;
    const may = (kind) => kind === "none" || (kind === "number" ? forward.some((it) => !KINDS.includes(it)) : forward.includes(kind));
    const kindOf = (value) => (value === null ? "" : WORDS.includes(value) ? value : may("internal") && /^\w{1,6}(@|$)/.test(value) ? "internal" : "number");
    const text = (kind) => t(`settings.to.${kind}`);
    /** Why this cannot be a target; "" if it can. A mobile number that was just filled in can. */
    const lack = (kind) => {
      if (!may(kind)) return t("settings.notAllowed", { item: text(kind) });
      if (!unavailable?.[kind] || (kind === "mobile" && own(["mobile"]) !== null)) return "";
      return t(`settings.lack.${kind}`, { item: text(kind) });
    };
    return item("handling", label, [path], (set) => {
      const kinds = [...WORDS, "internal", "number"];
      const told = otherwise(path, (value) => (WORDS.includes(value) ? text(value) : value), text("none"));
      const select = choice([["", told], ...kinds.map((kind) => [kind, text(kind)])], kindOf(own(path)), { onchange: turn, onfocus: learn });
      function learn() {
        for (const option of [...select.options].slice(1)) {
          option.disabled = Boolean(lack(option.value));
          option.text = lack(option.value) || text(option.value);
        }
      }
      learn();
      const input = h("input", { autocomplete: "off", oninput: tell, onfocus: suggest });
      const open = () => ["internal", "number"].includes(select.value);
      if (open()) input.value = own(path);
      function tell() {
        set(open() ? input.value.trim() : select.value);
      }
      function turn(event) {
        const kind = select.value;
        input.hidden = !open();
        input.setAttribute("aria-label", `${label}: ${text(kind || "number")}`);
        input.inputMode = kind === "number" ? "tel" : "text";
        input.setAttribute("list", kind === "internal" ? "colleagues" : "");
        // The focus stays: by keyboard every step through the choices is a change.
        if (event) tell();
      }
      turn();
      return h("div", { class: "target" }, select, input);
    });
  }

  function ringOrder(path) {
    const names = saved.allowed.endpoints;
    const paths = ["ringFirst", "ringSecond"].map((key) => [...path, key]);
    return item("handling", t("settings.ringOrder"), paths, (set, disabled) => {
      const stages = paths.map((path, stage) => own(path) ?? other(path).value ?? (stage ? [] : names.filter((it) => it !== "mobile")));
      const stage = (key, list) => [{ key, text: t(`settings.${key}`), heading: true }, ...list.filter((it) => names.includes(it)).map((key) => ({ key, text: key === "mobile" ? t("settings.to.mobile") : key }))];
      const never = names.filter((it) => !stages.flat().includes(it));
      const rows = [...stage("ringFirst", stages[0]), ...stage("ringSecond", stages[1]), ...stage("ringNever", never)];
      const changed = (rows) => {
        const [second, third] = ["ringSecond", "ringNever"].map((key) => rows.findIndex((it) => it.key === key));
        const keys = rows.map(({ key }) => key);
        set(keys.slice(1, second), keys.slice(second + 1, third));
      };
      return sortable(rows, { label: t("settings.ringOrder"), disabled, changed });
    });
  }

  // --- blocks ------------------------------------------------------------------

  function block(status) {
    const path = (...rest) => ["statuses", status, ...rest];
    const isCommon = status === "default";
    const queue = ["login", "logout", "pause", "none"].map((it) => [it, t(`settings.queue.${it}`)]);
    const onOff = [["on", t("settings.on")], ["off", t("settings.off")], queue[3]];
    const forwards = (origin) => WHENS.map((when) => forward(path(origin, when), t(`settings.${when}`)));
    return h(
      "details",
      { class: "card block", "data-status": status, open: isCommon || !at(saved, path()) },
      h("summary", {}, h("h3", {}, isCommon ? t("settings.every") : labelOf(status)), h("small", { class: "own" })),
      ORIGINS.map((origin) => h("fieldset", {}, h("legend", {}, t(`settings.${origin}`)), h("div", { class: "fields-3" }, forwards(origin)))),
      h(
        "div",
        { class: "fields-2" },
        saved.allowed.endpoints.length > 1 && ringOrder(path()),
        h(
          "div",
          { class: "stack" },
          typed("handling", t("settings.ringTimeout"), path("ringTimeout"), { type: "number", min: 5, max: 300 }),
          yesNo("handling", t("settings.ringMobile"), path("ringMobile")),
          yesNo("handling", t("settings.push"), path("push")),
        ),
      ),
      h(
        "div",
        { class: "fields-3" },
        word("actions", t("settings.dnd"), path("dnd"), onOff),
        word("actions", t("settings.followMe"), path("followMe"), onOff),
        saved.allowed.queues !== false && word("actions", t("settings.queue"), path("queue"), queue),
        typed("handling", t("settings.greeting"), path("greeting"), { list: "greetings" }),
        typed("note", t("settings.note"), path("note"), { maxlength: 255 }),
      ),
      !isCommon && h("div", { class: "ends" }, h("button", { type: "button", class: "quiet", onclick: () => remove(status) }, t("settings.remove"))),
    );
  }

  const blocks = () => [...element.querySelectorAll("details.block")];

  function add({ target }) {
    const fresh = block(target.value);
    $("statuses").append(fresh);
    offer();
    bar();
    fresh.querySelector("summary").focus();
  }

  function remove(status) {
    write(["statuses", status], null);
    blocks().find((it) => it.dataset.status === status).remove();
    for (const [key, { path }] of items) if (path[1] === status) items.delete(key);
    offer();
    $("status-new").focus();
    say(t("settings.removed", { item: labelOf(status) }));
  }

  /** The statuses that have no block yet. */
  function offer() {
    const there = blocks().map((it) => it.dataset.status);
    const options = [["", t("settings.choose")], ...named.filter(([name]) => !there.includes(name))];
    $("status-new").replaceChildren(...choice(options, "").children);
    $("status-new").value = "";
  }

  // --- the page ----------------------------------------------------------------

  function draw() {
    items = new Map();
    const login = [["none", t("settings.nothing")], ...named];
    const extensions = (saved.allowed.extensions ?? []).map((it) => [it, it]);
    const visible = ["everyone", "groups", "nobody"].map((it) => [it, t(`settings.visible.${it}`)]);
    const mine = new Set([...Object.keys(saved.statuses ?? {}), ...Object.keys(patch.statuses ?? {})]);
    const own = [...mine].filter((it) => it !== "default" && patch.statuses !== null && patch.statuses?.[it] !== null);
    const greetings = ["unavailable", "busy"].map((value) => h("option", { value, label: t(`settings.greeting.${value}`) }));
    element.replaceChildren(
      h(
        "div",
        { class: "page" },
        h("h2", { tabindex: -1 }, t("settings.title")),
        h("p", { class: "hint" }, t("settings.intro")),
        h("datalist", { id: "colleagues" }),
        h("datalist", { id: "greetings" }, greetings),
        h(
          "form",
          { id: "settings-form", novalidate: true, onsubmit: save },
          h(
            "section",
            { class: "card block", "aria-label": t("settings.general") },
            h("h3", {}, t("settings.general")),
            h(
              "div",
              { class: "fields-3" },
              typed("mobile", t("settings.mobile"), ["mobile"], { type: "tel" }),
              extensions.length > 1 && word("handling", t("settings.default"), ["default"], extensions),
              "visibility" in saved.effective && word("visibility", t("settings.visibility"), ["visibility"], visible),
            ),
            h("div", { class: "fields-4" }, ["login", "logout", "register", "unregister"].map((it) => word("login", t(`settings.${it}Status`), [`${it}Status`], login))),
          ),
          h("div", { id: "statuses" }, block("default"), own.map(block)),
          h("div", { class: "card block" }, field(t("settings.add"), h("select", { id: "status-new", onchange: add }), { hint: t("settings.addHint") })),
          h(
            "div",
            { id: "unsaved", class: "bar card", hidden: true },
            h("p", { class: "count" }, t("settings.unsaved")),
            h("p", { id: "settings-error", class: "error", role: "alert" }),
            h("button", { type: "button", class: "quiet", onclick: discard }, t("settings.discard")),
            h("button", { type: "submit", class: "main" }, t("settings.save")),
          ),
        ),
        caller.may?.password && passwordForm(caller),
      ),
    );
    offer();
    bar();
  }

  /** Says that something is not saved, and how much of each block is one's own. */
  function bar() {
    if (!$("unsaved")) return;
    $("unsaved").hidden = !Object.keys(patch).length;
    for (const it of blocks()) {
      const mine = [...items.values()].filter(({ path }) => path[0] === "statuses" && path[1] === it.dataset.status && own(path) !== null);
      it.querySelector(".own").textContent = mine.length ? t("settings.count", { count: mine.length }) : "";
    }
  }

  /** Draws the page anew, with the same blocks open. */
  function redraw() {
    const open = blocks().filter((it) => it.open).map((it) => it.dataset.status);
    draw();
    for (const it of blocks()) it.open = open.includes(it.dataset.status);
    element.querySelector("h2").focus();
  }

  function discard() {
    patch = {};
    redraw();
  }

  async function save(event) {
    event.preventDefault();
    const button = element.querySelector("#settings-form [type=submit]");
    $("settings-error").textContent = "";
    button.disabled = true;
    try {
      saved = await ask(url, { method: "PUT", body: patch, signal });
      patch = {};
      redraw();
      say(t("settings.saved"));
    } catch (error) {
      if (error.status === 401) on.ended();
      else if (!signal.aborted) blame(error.message);
    } finally {
      button.disabled = false;
    }
  }

  /** Shows an error at the field whose path its message begins with, else beside the button. */
  function blame(message) {
    const changed = [...items].filter(([, { path }]) => at(patch, path) != null);
    const begins = ([key]) => message.startsWith(`${key}:`);
    const quotes = ([, { path }]) => message.includes(`'${at(patch, path)}'`);
    const [key, { input } = {}] = changed.find(begins) ?? changed.find(quotes) ?? (changed.length === 1 ? changed[0] : []);
    if (!input) return void ($("settings-error").textContent = message);
    fault(input, message.startsWith(`${key}:`) ? message.slice(key.length + 2) : message);
    input.closest("details")?.setAttribute("open", "");
    const inner = input.matches("ol, div") && (input.querySelector("input:not([hidden])") ?? input.querySelector("select, button"));
    (inner || input).focus();
  }

  draw();
}
