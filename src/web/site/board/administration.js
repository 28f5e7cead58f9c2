// The administration: userpresence.conf on a page. Changes are gathered until they are saved
// together; what will be written is shown before.

import { ask, h, say, t } from "./core.js";
import { Configuration } from "./configuration.js";
import { backups } from "./admin-backups.js";
import { general, section } from "./admin-form.js";
import { list } from "./admin-list.js";
import { on, state } from "./people.js";

/** The pages, and the type of the sections that each is for. */
const PAGES = { general: "general", statuses: "status", users: "user", handling: "handling", other: null, backups: null };

/** Stays while the board is open, so that changes survive a look at the list of people. */
let model = null;
let owner = null;

addEventListener("beforeunload", (event) => {
  if (owner && owner === state.caller && model?.edited.size) event.preventDefault();
});

/** The page that a section is edited on. */
function address(type, name) {
  const page = Object.keys(PAGES).find((page) => PAGES[page] === type) ?? "other";
  return `#/administration/${page}${page === "general" ? "" : `/${encodeURIComponent(name)}`}`;
}

export async function show(element, { caller, signal, statuses }, rest) {
  if (owner !== caller) [model, owner] = [null, caller];
  let page;
  let name;
  if (!model?.edited.size) model = await Configuration.load(signal);
  const view = { model, signal, statuses, address, changed: bar, again: draw };
  function draw() {
    const tabs = Object.keys(PAGES).map((it) => h("a", { href: `#/administration/${it}`, "aria-current": it === page && "page" }, t(`admin.${it}`)));
    const { file, editable, reason } = model.loaded;
    element.replaceChildren(
      h(
        "div",
        { class: "page" },
        h("h2", { tabindex: -1 }, t("admin.title")),
        h("nav", { class: "tabs", "aria-label": t("admin.title") }, tabs),
        editable === false && h("p", { class: "card block" }, t("admin.readOnly", { file, reason })),
        problems(),
        body(),
        h(
          "div",
          { id: "unsaved", class: "bar card", hidden: true },
          h("p", { class: "count", role: "status" }),
          h("button", { type: "button", class: "quiet", onclick: discard }, t("settings.discard")),
          h("button", { type: "button", class: "main", onclick: review }, t("admin.review")),
        ),
      ),
    );
    bar();
  }

  function body() {
    if (page === "general") return general(view);
    if (page === "backups") return backups(view);
    return name === undefined ? list(view, page, PAGES[page]) : section(view, page, PAGES[page], name);
  }

  function bar() {
    const count = model.edited.size;
    element.querySelector("#unsaved").hidden = !count;
    element.querySelector("#unsaved .count").textContent = count ? t("admin.changed", { count }) : "";
  }

  /** What is wrong, with links to the fields. */
  function problems() {
    if (!model.problems.length) return null;
    const items = model.problems.map(({ section, option, message }) => {
      const { type } = model.get(section) ?? {};
      const place = [section && `[${section}]`, option].filter(Boolean).join(" ");
      return h("li", {}, place && (type || section === "general" ? h("a", { href: address(type, section) }, place) : place), ` ${message}`);
    });
    return h("div", { id: "problems", class: "card block", tabindex: -1 }, h("h3", {}, t("admin.problems")), h("ul", {}, items));
  }

  function discard() {
    for (const name of [...model.edited.keys()]) model.undo(name);
    draw();
    element.querySelector("h2").focus();
    say(t("admin.discarded"));
  }

  function review() {
    const dialog = h("dialog", { id: "review", "aria-labelledby": "review-title", onclose: () => dialog.remove() });
    const why = h("p", { class: "error", role: "alert" });
    const close = () => dialog.close();
    const undo = (name) => {
      model.undo(name);
      draw();
      if (!model.edited.size) return close();
      fill();
      dialog.querySelector("button").focus();
    };
    function fill(...buttons) {
      const all = [...model.edited].map(([name, now]) => {
        const kind = !now ? "deleted" : model.sections.has(name) ? "changedOne" : "newOne";
        const lines = now ? model.diff(name).map(([sign, line]) => h("li", {}, h(sign === "+" ? "ins" : "del", {}, `${sign} ${line}`))) : [];
        return h(
          "section",
          { "aria-label": name },
          h("h3", {}, `[${name}] `, h("small", {}, t(`admin.${kind}`)), h("button", { type: "button", class: "quiet", "aria-label": t("admin.undoItem", { item: name }), onclick: () => undo(name) }, t("admin.undo"))),
          model.shared.has(name) && h("p", { class: "hint" }, t("admin.shared")),
          h("ul", { class: "diff" }, lines),
        );
      });
      const normal = [h("button", { type: "button", class: "main", onclick: save }, t("admin.save"))];
      dialog.replaceChildren(
        h("div", { class: "fields" }, h("h2", { id: "review-title" }, t("admin.reviewTitle")), all, why),
        h("div", { class: "buttons" }, h("button", { type: "button", class: "quiet", onclick: close }, t("settings.cancel")), buttons.length ? buttons : normal),
      );
    }
    async function save({ target }) {
      target.disabled = true;
      why.textContent = "";
      try {
        await model.save();
        close();
        finish();
        say(t("admin.saved"));
      } catch (error) {
        if (error.status === 401) return on.ended();
        if (error.status === 412) {
          why.textContent = t("admin.conflict");
          fill(h("button", { type: "button", class: "main", onclick: merge }, t("admin.merge")));
          return dialog.querySelector(".main").focus();
        }
        if (!model.problems.length) return void (why.textContent = error.message);
        close();
        draw();
        element.querySelector("#problems").focus();
      } finally {
        target.disabled = false;
      }
    }
    async function merge() {
      why.textContent = "";
      await model.merge().catch((error) => (why.textContent = error.message));
      draw();
      fill();
      dialog.querySelector(".main").focus();
      say(t("admin.merged"));
    }
    fill();
    document.body.append(dialog);
    dialog.showModal();
  }

  /** After saving, a deleted section has no page. */
  function finish() {
    if (name !== undefined && !model.get(name)) location.hash = `#/administration/${page}`;
    draw();
    element.querySelector("h2").focus();
  }

  /** Shows a page; the focus stays on the tabs, or goes to the heading. */
  function go([first, second]) {
    const onTab = document.activeElement?.closest(".tabs");
    [page, name] = [first in PAGES ? first : "general", second];
    draw();
    element.querySelector(onTab ? ".tabs [aria-current]" : "h2").focus();
  }

  go(rest);
  return go;
}
