// The sections of one type as a list: with a search, and in pages, for there may be thousands.

import { labelOf } from "./admin-form.js";
import { h, t } from "./core.js";

const EACH = 50;
/** The columns beside the name, for each page. */
const COLUMNS = { statuses: ["label", "state", "subtype", "message"], users: ["name", "extension", "group", "account"], handling: ["set", "status", "note"], other: [] };
/** Search and place of each page, for the way back. */
const places = {};

export function list({ model, address }, page, type) {
  const place = (places[page] ??= { text: "", from: 0 });
  const here = model.all().filter((it) => (type ? it.type === type : it.name !== "general" && !["status", "user", "handling"].includes(it.type)));
  const cell = ({ name }, option) => [model.values(name, option), option === "name" ? model.values(name, "display_name") : [], model.inherited(name, option)?.values ?? []].find((it) => it.length)?.join(", ") ?? "";
  const rows = here.map((it) => {
    const cells = page === "other" ? [it.type ?? ""] : COLUMNS[page].map((option) => cell(it, option));
    return { it, cells, text: [it.name, ...cells].join("\n").toLowerCase() };
  });
  const heads = page === "other" ? [t("admin.type")] : COLUMNS[page].map(labelOf);
  const { realtime } = model.loaded;
  const body = h("tbody");
  const count = h("p", { class: "count", role: "status" });
  const step = (by, text) => h("button", { type: "button", onclick: () => ((place.from += by), paint()) }, t(text));
  const [back, on] = [step(-EACH, "admin.previous"), step(EACH, "admin.next")];

  function paint() {
    const words = place.text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter(({ text }) => words.every((word) => text.includes(word)));
    place.from = Math.max(0, Math.min(place.from, found.length - 1));
    place.from -= place.from % EACH;
    const shown = found.slice(place.from, place.from + EACH);
    body.replaceChildren(
      ...shown.map(({ it, cells }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, h("a", { href: address(it.type, it.name) }, it.name), it.template && h("small", {}, ` ${t("admin.template")}`), model.edited.has(it.name) && h("small", {}, ` ${t("admin.changedOne")}`)),
          cells.map((text, at) => h("td", { "data-label": heads[at] }, text)),
        ),
      ),
    );
    count.textContent = found.length ? t("admin.count", { from: place.from + 1, to: place.from + shown.length, count: found.length }) : t(rows.length ? "admin.nothing" : "admin.none");
    back.disabled = !place.from;
    on.disabled = place.from + EACH >= found.length;
    back.hidden = on.hidden = found.length <= EACH;
  }

  const search = h("input", { type: "search", "aria-label": t("admin.search"), placeholder: t("admin.search"), autocomplete: "off", oninput: ({ target }) => ((place.text = target.value), (place.from = 0), paint()) });
  search.value = place.text;
  const types = type ? [type] : Object.keys(model.loaded.options).filter((it) => !["general", "status", "user", "handling"].includes(it));
  const fresh = type
    ? h("a", { class: "button", href: `#/administration/${page}/+` }, t("admin.add"))
    : h("select", { "aria-label": t("admin.add"), onchange: ({ target }) => (location.hash = `#/administration/other/+${target.value}`) }, h("option", { value: "" }, t("admin.add")), types.map((it) => h("option", { value: it }, it)));
  paint();
  return h(
    "div",
    { class: "card" },
    h("div", { class: "tools" }, search, model.loaded.editable !== false && fresh),
    h("table", {}, h("thead", {}, h("tr", {}, [t("admin.name"), ...heads].map((it) => h("th", { scope: "col" }, it)))), body),
    h("div", { class: "tools" }, count, back, on),
    page === "users" && realtime?.listed === false && h("p", { class: "hint tools" }, t("admin.unlisted", { count: realtime.users })),
  );
}
