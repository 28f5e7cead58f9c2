// One's own settings: what calls and statuses do, as far as the administrator allows it, and
// one's own password.

import { $, ask, h, say, t } from "./core.js";
import { choice, fault, field } from "./form.js";
import { passwordForm } from "./password.js";
import { sortable } from "./sortable.js";

const ORIGINS = ["forwardInternal", "forwardExternal"];
const WHENS = ["always", "noAnswer", "busy"];
/** Targets of forwards that need no number, and the right that each needs. */
const WORDS = ["none", "voicemail", "mobile"];

const at = (value, path) => path.reduce((it, key) => it?.[key], value);
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

function put(object, path, value) {
  const last = path.at(-1);
  path.slice(0, -1).reduce((it, key) => (it[key] ??= {}), object)[last] = value;
}

/** Removes a value, and the objects that are empty then. */
function cut(object, [key, ...rest]) {
  if (rest.length && object[key]) cut(object[key], rest);
  if (!rest.length || (object[key] && !Object.keys(object[key]).length)) delete object[key];
}

export async function show(element, { caller, signal, statuses }) {
  const url = `account/~/extension/${encodeURIComponent(caller.extensionId)}/settings`;
  let saved = await ask(url, { signal });
  /** A merge patch: what was changed and is not saved. */
  let patch = {};
  /** Each item by its path as a text, to find the field that an error belongs to. */
  let items = new Map();
  let people = null;

  const labelOf = (status) => statuses.find(({ name }) => name === status)?.label || status;
  const mayNot = (area) => !saved.allowed.items.includes(area);

  // --- values ------------------------------------------------------------------

  /** One's own value, null for none. */
  function own(path) {
    for (let depth = 1; depth <= path.length; depth++) if (at(patch, path.slice(0, depth)) === null) return null;
    return at(patch, path) ?? at(saved, path) ?? null;
  }

  /** The value without one's own: that of all statuses, else the administrator's. */
  function other(path) {
    const common = path[0] === "statuses" && path[1] !== "default" ? own(["statuses", "default", ...path.slice(2)]) : null;
    const set = at(saved.effective, path) ?? (path[0] === "statuses" ? at(saved.effective, ["statuses", "default", ...path.slice(2)]) : null);
    const value = common ?? set ?? null;
    return { value, key: common === null ? "settings.administrator" : "settings.common" };
  }

  function write(path, value) {
    cut(patch, path);
    if (!same(value, at(saved, path))) put(patch, path, value);
    bar();
  }

  // --- items -------------------------------------------------------------------

  /**
   * A field with a button that gives it back. `make` gets one's own value and the text of the
   * other one, and returns the control; `read` is the value of the control, null for none.
   */
  function item(path, area, label, make, read, text = (value) => value, options = {}) {
    const { value, key } = other(path);
    const shown = value === null || value === "" ? t("settings.nothing") : text(value);
    const inherited = t(key, { value: shown });
    const control = make(own(path), inherited);
    const input = control.matches("input, select") ? control : control.querySelector("select, input, ol");
    const back = h("button", { type: "button", class: "quiet back", title: t("settings.back"), "aria-label": t("settings.backItem", { item: label }) }, "↺");
    const locked = mayNot(area);
    const element = field(label, control, { ...options, beside: back, hint: locked ? t("settings.locked") : options.hint });
    for (const it of [input, ...control.querySelectorAll("input, select")]) it.disabled = locked;
    const changed = () => {
      fault(input);
      write(path, read(control));
      back.hidden = locked || own(path) === null;
    };
    control.addEventListener("change", changed);
    control.addEventListener("input", changed);
    back.hidden = locked || own(path) === null;
    back.addEventListener("click", () => {
      write(path, null);
      const fresh = item(path, area, label, make, read, text, options);
      element.replaceWith(fresh);
      fresh.querySelector("input, select, button:not([hidden])")?.focus();
      say(t("settings.given", { item: label, value: inherited }));
    });
    items.set(path.join("."), { path, input });
    return element;
  }

  const word = (path, area, label, words, options) =>
    item(
      path,
      area,
      label,
      (value, inherited) => choice([["", inherited], ...words.map(([value, text]) => [JSON.stringify(value), text])], value === null ? "" : JSON.stringify(value)),
      (select) => (select.value === "" ? null : JSON.parse(select.value)),
      (value) => words.find(([it]) => it === value)?.[1] ?? value,
      options,
    );

  const yesNo = (path, area, label, [yes, no] = [true, false]) =>
    word(path, area, label, [
      [yes, t("settings.yes")],
      [no, t("settings.no")],
    ]);

  const typed = (path, area, label, attributes = {}, options) =>
    item(
      path,
      area,
      label,
      (value, inherited) => {
        const input = h("input", { autocomplete: "off", placeholder: inherited, ...attributes });
        input.value = value ?? "";
        return input;
      },
      (input) => (input.value.trim() === "" ? null : attributes.type === "number" ? Number(input.value) : input.value.trim()),
      undefined,
      options,
    );

  // --- forwards ----------------------------------------------------------------

  const targetText = (value) => (WORDS.includes(value) ? t(`settings.to.${value}`) : value);
  const allows = (target) => target === "none" || saved.allowed.forward.includes(target);
  const allowsNumbers = () => saved.allowed.forward.some((it) => !["internal", "voicemail", "mobile"].includes(it));

  /** The colleagues' extensions, loaded once one is to be chosen. */
  async function suggest() {
    if (people) return;
    people = [];
    const { presences, records, users } = await ask("account/~/presence", { signal }).catch(() => ({}));
    people = (presences ?? records ?? users ?? []).filter(({ extensionId }) => extensionId !== caller.extensionId);
    $("colleagues").replaceChildren(...people.flatMap((it) => it.extensions.map((value) => h("option", { value, label: it.name ?? it.user }))));
  }

  function forward(path, label) {
    const kind = (value) => (value === null ? "" : WORDS.includes(value) ? value : allows("internal") && /^\w{1,6}(@|$)/.test(value) ? "internal" : "number");
    return item(
      path,
      "handling",
      label,
      (value, inherited) => {
        const words = [...WORDS, "internal", "number"].map((it) => {
          const allowed = it === "number" ? allowsNumbers() : allows(it);
          return [it, allowed ? t(`settings.to.${it}`) : t("settings.notAllowed", { item: t(`settings.to.${it}`) }), !allowed];
        });
        const select = choice([["", inherited], ...words], kind(value));
        const input = h("input", { autocomplete: "off" });
        const turn = () => {
          const wanted = select.value;
          input.hidden = !["internal", "number"].includes(wanted);
          input.setAttribute("aria-label", `${label}: ${t(`settings.to.${wanted || "number"}`)}`);
          input.inputMode = wanted === "number" ? "tel" : "text";
          if (wanted !== "internal") return input.removeAttribute("list");
          input.setAttribute("list", "colleagues");
          suggest();
        };
        input.value = ["internal", "number"].includes(select.value) ? value : "";
        select.addEventListener("change", () => {
          turn();
          if (!input.hidden) input.focus();
        });
        turn();
        return h("div", { class: "target" }, select, input);
      },
      (control) => {
        const [select, input] = control.children;
        return input.hidden ? select.value || null : input.value.trim() || null;
      },
      targetText,
    );
  }

  // --- ring order --------------------------------------------------------------

  function ringOrder(status) {
    const path = ["statuses", status];
    const names = saved.allowed.endpoints;
    const stages = ["ringFirst", "ringSecond"].map((key) => own([...path, key]) ?? other([...path, key]).value ?? (key === "ringFirst" ? names : []));
    const left = names.filter((name) => !stages.flat().includes(name));
    const title = (key) => ({ key, text: t(`settings.${key}`), heading: true });
    const named = (list) => list.filter((name) => names.includes(name)).map((key) => ({ key, text: key }));
    const rows = [title("ringFirst"), ...named(stages[0]), title("ringSecond"), ...named(stages[1]), title("ringNever"), ...named(left)];
    const locked = mayNot("handling");
    const back = h("button", { type: "button", class: "quiet back", title: t("settings.back"), "aria-label": t("settings.backItem", { item: t("settings.ringOrder") }) }, "↺");
    const given = () => (back.hidden = locked || ["ringFirst", "ringSecond"].every((key) => own([...path, key]) === null));
    const list = sortable(rows, {
      label: t("settings.ringOrder"),
      disabled: locked,
      changed: (all) => {
        const keys = all.map(({ key }) => key);
        const [second, never] = ["ringSecond", "ringNever"].map((key) => keys.indexOf(key));
        write([...path, "ringFirst"], keys.slice(1, second));
        write([...path, "ringSecond"], keys.slice(second + 1, never));
        given();
      },
    });
    const element = h("fieldset", { class: "field" }, h("legend", {}, t("settings.ringOrder")), h("div", { class: "line" }, list, back), locked && h("p", { class: "hint" }, t("settings.locked")));
    given();
    back.addEventListener("click", () => {
      for (const key of ["ringFirst", "ringSecond"]) write([...path, key], null);
      const fresh = ringOrder(status);
      element.replaceWith(fresh);
      fresh.querySelector("li button")?.focus();
      say(t("settings.given", { item: t("settings.ringOrder"), value: "" }));
    });
    return element;
  }

  // --- blocks ------------------------------------------------------------------

  function block(status) {
    const path = ["statuses", status];
    const part = (key) => [...path, key];
    const forwards = ORIGINS.map((origin) =>
      h(
        "fieldset",
        {},
        h("legend", {}, t(`settings.${origin}`)),
        h("div", { class: "fields-3" }, WHENS.map((when) => forward([...path, origin, when], t(`settings.${when}`)))),
      ),
    );
    const queue = ["login", "logout", "pause", "none"].map((it) => [it, t(`settings.queue.${it}`)]);
    const onOff = [...["on", "off"].map((it) => [it, t(`settings.${it}`)]), ["none", t("settings.queue.none")]];
    const ends = status !== "default" && h("button", { type: "button", class: "quiet", onclick: () => remove(status) }, t("settings.remove"));
    const title = status === "default" ? t("settings.every") : labelOf(status);
    return h(
      "details",
      { class: "card block", "data-status": status, open: status === "default" || !at(saved, path) },
      h("summary", {}, h("h3", {}, title), h("small", { class: "own" })),
      ...forwards,
      h(
        "div",
        { class: "fields-2" },
        saved.allowed.endpoints.length > 1 && ringOrder(status),
        h(
          "div",
          { class: "stack" },
          typed(part("ringTimeout"), "handling", t("settings.ringTimeout"), { type: "number", min: 5, max: 300, inputmode: "numeric" }),
          yesNo(part("ringMobile"), "handling", t("settings.ringMobile")),
          yesNo(part("push"), "handling", t("settings.push")),
        ),
      ),
      h(
        "div",
        { class: "fields-3" },
        word(part("dnd"), "actions", t("settings.dnd"), onOff),
        word(part("followMe"), "actions", t("settings.followMe"), onOff),
        saved.allowed.queues !== false && word(part("queue"), "actions", t("settings.queue"), queue),
        typed(part("greeting"), "handling", t("settings.greeting"), { list: "greetings" }),
        typed(part("note"), "note", t("settings.note"), { maxlength: 255 }),
      ),
      ends && h("div", { class: "ends" }, ends),
    );
  }

  const blocks = () => [...element.querySelectorAll(".block")].map((it) => it.dataset.status);

  function add(status) {
    const fresh = block(status);
    $("statuses").append(fresh);
    offer();
    fresh.querySelector("summary").focus();
  }

  function remove(status) {
    const path = ["statuses", status];
    write(path, null);
    element.querySelector(`[data-status="${CSS.escape(status)}"]`).remove();
    for (const key of items.keys()) if (key.startsWith(`${path.join(".")}.`)) items.delete(key);
    offer();
    $("status-new").focus();
    say(t("settings.removed", { item: labelOf(status) }));
  }

  function offer() {
    const there = blocks();
    const left = statuses.filter(({ name }) => !there.includes(name));
    $("status-new").replaceChildren(h("option", { value: "" }, t("settings.choose")), ...left.map(({ name, label }) => h("option", { value: name }, label || name)));
  }

  // --- the page ----------------------------------------------------------------

  function draw() {
    items = new Map();
    const login = [["none", t("settings.nothing")], ...statuses.map(({ name, label }) => [name, label || name])];
    const extensions = (saved.allowed.extensions ?? []).map((it) => [it, it]);
    const visible = ["everyone", "groups", "nobody"].map((it) => [it, t(`settings.visible.${it}`)]);
    const own = Object.keys(saved.statuses ?? {}).filter((it) => it !== "default");
    element.replaceChildren(
      h(
        "div",
        { class: "page" },
        h("h2", { tabindex: -1 }, t("settings.title")),
        h("p", { class: "hint" }, t("settings.intro")),
        h("datalist", { id: "colleagues" }),
        h("datalist", { id: "greetings" }, ["unavailable", "busy"].map((value) => h("option", { value, label: t(`settings.greeting.${value}`) }))),
        h(
          "form",
          { id: "own", novalidate: true, onsubmit: save },
          h(
            "section",
            { class: "card block", "aria-label": t("settings.general") },
            h("h3", {}, t("settings.general")),
            h(
              "div",
              { class: "fields-3" },
              typed(["mobile"], "mobile", t("settings.mobile"), { type: "tel" }),
              extensions.length > 1 && word(["default"], "handling", t("settings.default"), extensions),
              word(["visibility"], "visibility", t("settings.visibility"), visible),
            ),
            h("div", { class: "fields-4" }, ["login", "logout", "register", "unregister"].map((it) => word([`${it}Status`], "login", t(`settings.${it}Status`), login))),
          ),
          h("div", { id: "statuses" }, block("default"), own.map(block)),
          h(
            "div",
            { class: "card block" },
            field(t("settings.add"), h("select", { id: "status-new", onchange: ({ target }) => target.value && add(target.value) }), { hint: t("settings.addHint") }),
          ),
          h(
            "div",
            { id: "unsaved", class: "bar card", hidden: true },
            h("p", { id: "own-error", class: "error", role: "alert" }),
            h("p", { class: "count" }, t("settings.unsaved")),
            h("button", { type: "button", class: "quiet", onclick: () => ((patch = {}), draw(), element.querySelector("h2").focus()) }, t("settings.discard")),
            h("button", { type: "submit", class: "main" }, t("settings.save")),
          ),
        ),
        caller.may?.password && passwordForm(caller),
      ),
    );
    offer();
    bar();
  }

  /** Says what is not saved, and how much of each block is one's own. */
  function bar() {
    $("unsaved").hidden = !Object.keys(patch).length;
    for (const it of element.querySelectorAll("details.block")) {
      const prefix = `statuses.${it.dataset.status}.`;
      const count = [...items].filter(([key, { path }]) => key.startsWith(prefix) && own(path) !== null).length;
      it.querySelector(".own").textContent = count ? t("settings.count", { count }) : "";
    }
  }

  async function save(event) {
    event.preventDefault();
    const button = $("own").querySelector("[type=submit]");
    $("own-error").textContent = "";
    button.disabled = true;
    try {
      saved = await ask(url, { method: "PUT", body: patch, signal });
      patch = {};
      const open = [...element.querySelectorAll("details[open]")].map((it) => it.dataset.status);
      const focused = document.activeElement?.closest("#unsaved") ? null : document.activeElement?.id;
      draw();
      for (const it of element.querySelectorAll("details")) it.open = open.includes(it.dataset.status);
      ((focused && $(focused)) || element.querySelector("h2")).focus();
      say(t("settings.saved"));
    } catch (error) {
      if (signal.aborted) return;
      blame(error);
    } finally {
      button.disabled = false;
    }
  }

  /** Shows an error at the field whose path its message begins with, else beside the button. */
  function blame({ message, error }) {
    const path = error?.member ?? [...items.keys()].filter((it) => message.startsWith(`${it}:`) || message.startsWith(`${it} `)).pop();
    const { input } = items.get(path) ?? {};
    if (!input) return void ($("own-error").textContent = message);
    fault(input, message.slice(message.startsWith(path) ? path.length : 0).replace(/^:? /, ""));
    input.closest("details")?.setAttribute("open", "");
    (input.parentElement.querySelector("input:not([hidden])") ?? input).focus();
  }

  draw();
}
