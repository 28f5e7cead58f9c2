// The configuration as administrators edit it: what the server has, and what was changed and
// is not saved yet.

import { ask, t } from "./core.js";

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const copy = ({ name, type, template, templates, options }) => ({ name, type, template, templates: [...templates], options: options.map((it) => ({ ...it })) });
/** The options whose value is never shown. */
export const SECRETS = ["password", "secret"];
/** As a line of the file, without secrets; the value of one that is kept is null. */
const line = ({ name, value, secret }) => `${name} = ${value === null ? "••••••" : secret ? `•••••• (${t("admin.newOne")})` : value}`;
/** For the server: a typed password is hashed there, but for that of a cluster, which is sent to etcd. */
const sent = (type) => ({ name, value }) => (type !== "cluster" && name === "password" && value !== null && !/^\$[56y]\$/.test(value) ? { name, plain: value } : { name, value });

export class Configuration {
  /** By the section's name: its new contents, or null for one that is deleted. */
  edited = new Map();
  /** What the server found wrong at the last attempt to save: { section, option, line, message }. */
  problems = [];
  /** The edited sections that somebody else changed too. */
  shared = new Set();

  static async load(signal) {
    const configuration = new Configuration();
    configuration.take(await ask("configuration", { signal, cache: "no-store" }));
    return configuration;
  }

  take(loaded) {
    this.loaded = loaded;
    this.sections = new Map();
    for (const section of loaded.sections) {
      // The type and what templates give are no options of the section itself.
      const options = section.options.filter(({ name, inherited }) => !inherited && name !== "type").map(({ name, value, secret, editable, reason }) => ({ name, value, secret, editable, reason }));
      this.sections.set(section.name, { ...section, options: options });
    }
  }

  /** A section as it is edited, undefined if there is none. */
  get(name) {
    return (this.edited.has(name) ? this.edited.get(name) : this.sections.get(name)) ?? undefined;
  }

  /** All sections as they are edited; new ones come last. */
  all() {
    const names = new Set([...this.sections.keys(), ...this.edited.keys()]);
    return [...names].map((name) => this.get(name)).filter(Boolean);
  }

  /** What the catalogue says of a type's options. */
  catalogue(type) {
    return this.loaded.options[type] ?? [];
  }

  /** A section's own values of an option; null is a secret that is kept. */
  values(name, option) {
    return (this.get(name)?.options ?? []).filter((it) => it.name === option).map(({ value }) => value);
  }

  /** What templates give an option, and the template; null if none does. */
  inherited(name, option) {
    for (const template of [...(this.get(name)?.templates ?? [])].reverse()) {
      const values = this.values(template, option);
      if (values.length) return { values, from: template };
      const further = this.inherited(template, option);
      if (further) return further;
    }
    return null;
  }

  /** The section to change. */
  edit(name, type) {
    if (!this.edited.get(name)) this.edited.set(name, copy(this.sections.get(name) ?? { name, type, templates: [], options: [] }));
    return this.edited.get(name);
  }

  /** Sets an option to these values, at its place; no values take it away. */
  set(name, type, option, values) {
    const section = this.edit(name, type);
    const at = section.options.findIndex((it) => it.name === option);
    const rest = section.options.filter((it) => it.name !== option);
    rest.splice(at < 0 ? rest.length : at, 0, ...values.map((value) => ({ name: option, value, secret: SECRETS.includes(option) })));
    section.options = rest;
    this.problems = this.problems.filter((it) => it.section !== name || it.option !== option);
    this.settle(name);
  }

  setTemplates(name, type, templates) {
    this.edit(name, type).templates = templates;
    this.settle(name);
  }

  /** An edited section that is as before is not edited. */
  settle(name) {
    const before = this.sections.get(name);
    if (before && !this.diff(name).length) this.edited.delete(name);
  }

  remove(name) {
    if (this.sections.has(name)) this.edited.set(name, null);
    else this.edited.delete(name);
  }

  undo(name) {
    this.edited.delete(name);
    this.shared.delete(name);
    this.problems = this.problems.filter((it) => it.section !== name);
  }

  /** The changed lines of a section: [sign, line], as in the file. */
  diff(name) {
    const [before, after] = [this.sections.get(name), this.edited.get(name)];
    const lines = (section) => (section ? [...section.templates.map((it) => `(${it})`), ...section.options.map(line)] : []);
    const [old, fresh] = [lines(before), lines(after)];
    const left = [...fresh];
    const gone = old.filter((it) => !left.includes(it) || !left.splice(left.indexOf(it), 1));
    return [...gone.map((it) => ["−", it]), ...left.map((it) => ["+", it])];
  }

  /** The body of the request that saves. */
  changes() {
    return [...this.edited].map(([section, it]) => {
      if (!it) return { section, options: null };
      const { type, templates, options } = it;
      const before = this.sections.get(section);
      // A row of a database has neither.
      const change = before?.origin === "realtime" ? { section, options: options.map(sent(type)) } : { section, type, templates, options: options.map(sent(type)) };
      if (before) return change;
      // A new section comes after the last one of its type.
      const after = [...this.sections.values()].filter((other) => other.type === type && other.editable && other.file).pop();
      return after ? { ...change, after: after.name } : change;
    });
  }

  /** Saves everything, or nothing. Throws the server's refusal; its problems are kept. */
  async save() {
    let saved;
    try {
      saved = await ask("configuration", { method: "PUT", body: { changes: this.changes() }, headers: { "If-Match": this.loaded.etag } });
    } catch (error) {
      this.problems = error.error?.problems ?? [];
      throw error;
    }
    this.edited.clear();
    this.shared.clear();
    this.problems = [];
    this.take(saved);
  }

  /** Loads what somebody else saved, and puts one's own changes on top of it, option by option. */
  async merge() {
    const before = this.sections;
    this.take(await ask("configuration", { cache: "no-store" }));
    for (const [name, mine] of [...this.edited]) {
      const [was, theirs] = [before.get(name), this.sections.get(name)];
      const contents = (it) => it && [it.templates, it.options];
      if (same(contents(was), contents(theirs))) continue;
      this.shared.add(name);
      if (!mine || !was || !theirs) continue;
      const merged = copy(theirs);
      if (!same(mine.templates, was.templates)) merged.templates = mine.templates;
      this.edited.set(name, merged);
      const values = (section, option) => section.options.filter((it) => it.name === option).map(({ value }) => value);
      for (const option of new Set([...was.options, ...mine.options].map((it) => it.name)))
        if (!same(values(mine, option), values(was, option))) this.set(name, mine.type, option, values(mine, option));
      this.settle(name);
    }
  }
}
