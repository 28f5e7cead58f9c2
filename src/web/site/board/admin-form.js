// The form of one section: the options that matter, in groups, and all others of its type.

import { SECRETS } from "./configuration.js";
import { h, t } from "./core.js";
import { choice, fault, field } from "./form.js";
import { labelOfStatus } from "./people.js";
import { sortable } from "./sortable.js";

const STATES = ["dnd", "xa", "away", "chat", "unavailable", "available", "not_set"];
const FORWARDS = ["internal", "external"].map((origin) => ["always", "noanswer", "busy"].map((when) => `forward_${origin}_${when}`));
/** The groups of a type: a title and options. */
const GROUPS = {
  general: [["admin.combining", ["enabled", "method", "outgoing"]]],
  status: [["admin.meaning", ["label", "state", "subtype", "message", "activity"]]],
  user: [
    ["admin.person", ["name", "display_name", "title", "email", "group", "account", "password"]],
    ["admin.phones", ["extension", "default", "endpoint", "mobile", "mailbox"]],
    ["admin.presence", ["method", "outgoing", "handling", "visibility"]],
  ],
  handling: [
    ["admin.applies", ["set", "status", "note"]],
    ["admin.ringing", ["ring_first", "ring_second", "ring_timeout", "ring_mobile", "push"]],
    ["settings.forwardInternal", FORWARDS[0]],
    ["settings.forwardExternal", FORWARDS[1]],
  ],
};

/** Options that assign to dialplan functions, which the server does not write. */
const CODE = /^action set$| (dnd|followme)_(on|off)$/;

/** The names of all statuses, those too that are not saved yet. */
const statusNames = (model) => [...new Set([...STATES, ...model.all().filter(({ type }) => type === "status").map(({ name }) => name)])];

/** The option's label in the reader's language, if it has one. */
export function labelOf(name) {
  if (name === "display_name") return labelOf("name");
  const camel = name.replace(/^forward_\w+_/, "").replace("noanswer", "no_answer").replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  const keys = [`admin.option.${name}`, `settings.${camel}`];
  return keys.map((key) => t(key)).find((text, at) => text !== keys[at]);
}

/** What the server found wrong with an option, if it did. */
const problem = (model, section, option) => model.problems.find((it) => it.section === section && it.option === option)?.message;

/** A field for an option of a section. */
function option({ model, changed }, section, type, entry) {
  const { name, kind, low, high, unit } = entry;
  const own = model.get(section)?.options.filter((it) => it.name === name) ?? [];
  const values = own.map(({ value }) => value);
  const inherited = model.inherited(section, name);
  const otherwise = inherited ? t("admin.inherited", { value: inherited.values.map((it) => it ?? t("admin.set")).join(", "), from: inherited.from }) : entry.default ? t("admin.default", { value: entry.default }) : t("admin.unset");
  const fixed = own.find((it) => it.editable === false) ?? ((CODE.test(`${type} ${name}`) && { reason: t("admin.code") }) || (type === "cluster" && name === "servers" && { reason: t("admin.servers") }));
  const words = { boolean: ["yes", "no"], word: entry.words, status: statusNames(model) }[kind];
  let hint = fixed?.reason ?? (kind === "list" && entry.words?.length ? entry.words.join(", ") : kind === "number" ? t("admin.number", { low, high, unit }) : "");
  let input;
  let read = () => (input.value.trim() === "" ? [] : [input.value.trim()]);
  if (own.some((it) => it.secret) || SECRETS.includes(name)) {
    input = h("input", { type: "password", autocomplete: "new-password", placeholder: own.length ? t("admin.kept") : otherwise });
    // An empty field keeps the secret.
    read = () => (input.value === "" ? model.sections.get(section)?.options.filter((it) => it.name === name).map(({ value }) => value) ?? [] : [input.value]);
  } else if (words && values.length < 2) {
    const [value = ""] = values;
    const extra = value && !words.includes(value) ? [value] : [];
    // An empty value is another thing here than no line at all.
    const empty = type === "status" && name === "state" ? [[" ", t("admin.recorded")]] : [];
    input = choice([["", otherwise], ...empty, ...[...words, ...extra].map((it) => [it, it])], values.length ? value || " " : "");
    read = () => (input.value === "" ? [] : [input.value.trim()]);
  } else if (values.length > 1 || (entry.repeated && kind !== "list" && !entry.isColumn)) {
    input = h("textarea", { rows: Math.max(2, values.length), placeholder: otherwise, spellcheck: "false" });
    input.value = values.join("\n");
    read = () => input.value.split("\n").map((it) => it.trim()).filter(Boolean);
    hint ||= t("admin.lines");
  } else {
    input = h("input", { placeholder: otherwise, autocomplete: "off", inputmode: kind === "number" && "numeric" });
    input.value = values[0] ?? "";
    if (entry.repeated && entry.isColumn) hint ||= t("admin.semicolons");
  }
  input.disabled = Boolean(fixed);
  input.addEventListener("input", () => {
    fault(input);
    model.set(section, type, name, read());
    changed();
  });
  const label = labelOf(type === "action" && name === "set" ? "assignments" : name);
  const element = field(label ?? h("code", { class: "only" }, name), input, { code: label && name, hint, wrong: problem(model, section, name) });
  element.dataset.option = name;
  return element;
}

/** The groups of options, then all the others. */
function groups(view, section, type) {
  const { model } = view;
  // A row of a database has its columns, where `name` is the key.
  const { columns } = model.sections.get(section) ?? {};
  const entry = (name) => ({ ...(model.catalogue(type).find((it) => it.name === name) ?? { name, kind: "text" }), isColumn: true });
  const catalogue = columns?.filter((it) => it !== "name").map(entry) ?? model.catalogue(type);
  const find = (name) => catalogue.find((it) => it.name === name);
  const known = GROUPS[type] ?? [];
  const main = known.flatMap(([, names]) => names);
  const rest = catalogue.filter(({ name }) => !main.includes(name) && name !== "type" && !(type === "general" && name === "priority"));
  const set = rest.filter(({ name }) => model.values(section, name).length).length;
  const wrong = model.problems.some((it) => it.section === section && rest.some(({ name }) => name === it.option));
  const fields = (entries) => h("div", { class: "fields-3" }, entries.map((entry) => option(view, section, type, entry)));
  return [
    ...known.map(([title, names]) => h("fieldset", {}, h("legend", {}, t(title)), fields(names.map(find).filter(Boolean)))),
    rest.length > 0 && (known.length ? h("details", { open: wrong }, h("summary", {}, t("admin.more", { count: set })), fields(rest)) : fields(rest)),
  ];
}

/** Which templates a section builds on. */
function templates(view, it) {
  if (view.model.sections.get(it.name)?.origin === "realtime") return null;
  const all = view.model.all().filter(({ template, type, name }) => template && type === it.type && name !== it.name);
  if (!all.length) return null;
  const box = ({ name }) => {
    const input = h("input", { type: "checkbox", value: name });
    input.checked = it.templates.includes(name);
    input.addEventListener("change", () => {
      const rest = (view.model.get(it.name)?.templates ?? []).filter((other) => other !== name);
      view.model.setTemplates(it.name, it.type, input.checked ? [...rest, name] : rest);
      view.again();
      document.querySelector(`[name=templates] input[value="${CSS.escape(name)}"]`)?.focus();
    });
    return h("label", { class: "check" }, input, name);
  };
  return h("fieldset", { name: "templates" }, h("legend", {}, t("admin.templates")), h("div", { class: "checks" }, all.map(box)));
}

/** The page of [general], with the order of the states. */
export function general(view) {
  const { model, changed } = view;
  const given = model.values("general", "priority").join().split(",").map((it) => it.trim().toLowerCase()).filter((it) => STATES.includes(it));
  const order = [...new Set([...given, ...STATES])];
  const list = sortable(
    order.map((key) => ({ key, text: labelOfStatus(key, view.statuses.find(({ name }) => name === key)?.label) })),
    {
      label: t("admin.priority"),
      disabled: !editable(model, "general"),
      changed: (items) => {
        model.set("general", "general", "priority", [items.map(({ key }) => key).join(",")]);
        changed();
      },
    },
  );
  const element = field(t("admin.priority"), list, { code: "priority", hint: t("admin.priorityHint"), wrong: problem(model, "general", "priority") });
  const [main, more] = groups(view, "general", "general");
  return h(
    "form",
    { class: "card block", novalidate: true, onsubmit: (event) => event.preventDefault() },
    h("fieldset", { disabled: !editable(model, "general"), class: "plain" }, main, element, more),
  );
}

function editable(model, name) {
  return model.loaded.editable !== false && model.sections.get(name)?.editable !== false;
}

/** The page of one section, or of one that is to be added. */
export function section(view, page, type, name) {
  const { model, changed } = view;
  const back = h("a", { href: `#/administration/${page}` }, `← ${t(`admin.${page}`)}`);
  if (name.startsWith("+")) return h("div", { class: "card block" }, back, create(view, type ?? name.slice(1)));
  const it = model.get(name);
  if (!it) return h("div", { class: "card block" }, back, h("p", {}, t("admin.gone", { name })));
  const { file, line, reason, origin } = model.sections.get(name) ?? {};
  const may = editable(model, name);
  const remove = () => {
    model.remove(name);
    changed();
    location.hash = `#/administration/${page}`;
  };
  return h(
    "form",
    { class: "card block", novalidate: true, onsubmit: (event) => event.preventDefault() },
    back,
    // Password managers want to know whose password it is.
    ["user", "api_user"].includes(it.type) && h("input", { value: it.name, autocomplete: "username", hidden: true }),
    h("h3", {}, it.name, it.template && h("small", {}, ` ${t("admin.template")}`)),
    h("p", { class: "hint" }, file ? t("admin.place", { file, line }) : origin === "realtime" && t("admin.database")),
    !may && h("p", { class: "notice-line" }, reason ?? model.loaded.reason),
    h("fieldset", { disabled: !may, class: "plain" }, templates(view, it), groups(view, it.name, it.type)),
    may && h("div", { class: "ends" }, h("button", { type: "button", class: "quiet danger", onclick: remove }, t("admin.delete", { name }))),
  );
}

/** A new section begins with its name. */
function create({ model, address, changed }, type) {
  const input = h("input", { autocomplete: "off", spellcheck: "false", maxlength: 60 });
  const submit = (event) => {
    event.preventDefault();
    const name = input.value.trim();
    const taken = model.all().some((it) => it.name.toLowerCase() === name.toLowerCase());
    const wrong = !/^[\w.-]{1,60}$/.test(name) ? t("admin.nameForm") : taken && t("admin.nameTaken", { name });
    fault(input, wrong || "");
    if (wrong) return input.focus();
    model.edit(name, type);
    changed();
    location.hash = address(type, name);
  };
  return h(
    "form",
    { class: "narrow", novalidate: true, onsubmit: submit },
    h("h3", {}, ["user", "status", "handling"].includes(type) ? t(`admin.new.${type}`) : t("admin.new", { type })),
    field(t("admin.name"), input, { hint: t("admin.nameForm"), beside: h("button", { type: "submit", class: "main" }, t("admin.continue")) }),
  );
}
