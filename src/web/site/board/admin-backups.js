// The copies of the file that were made before each change.

import { ask, h, locale, say, t } from "./core.js";

export function backups({ model, signal, again }) {
  const body = h("div", { class: "card block" }, h("h3", {}, t("admin.backups")), h("p", { class: "hint" }, t("admin.backupsHint")));
  const error = h("p", { class: "error", role: "alert" });
  const restore = async (name) => {
    try {
      const restored = await ask(`configuration/backups/${encodeURIComponent(name)}`, { method: "POST", headers: { "If-Match": model.loaded.etag } });
      model.take(restored);
      again();
      document.querySelector(".page h2").focus();
      say(t("admin.restored", { name }));
    } catch (problem) {
      error.textContent = problem.message;
    }
  };
  const row = ({ name, file, time }) =>
    h("li", {}, h("span", { class: "text" }, `${local(time)} · ${file}`), h("button", { type: "button", "aria-label": t("admin.restoreItem", { name }), onclick: () => restore(name) }, t("admin.restore")));
  ask("configuration/backups", { signal }).then(
    ({ backups }) => body.append(backups.length ? h("ul", { class: "sortable" }, backups.map(row)) : h("p", {}, t("admin.nothing")), error),
    (problem) => !signal.aborted && body.append(h("p", { class: "error" }, problem.message)),
  );
  return body;
}

/** The time in a backup's name, which is in UTC, in the reader's time zone. */
function local(time) {
  const [, ...parts] = /^(\d{4})-?(\d\d)-?(\d\d)\D?(\d\d)\D?(\d\d)\D?(\d\d)/.exec(time) ?? [];
  if (!parts.length) return time;
  const [year, month, ...rest] = parts.map(Number);
  return new Date(Date.UTC(year, month - 1, ...rest)).toLocaleString(locale);
}
