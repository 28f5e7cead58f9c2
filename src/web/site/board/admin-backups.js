// The copies of the file that were made before each change.

import { ask, h, say, t } from "./core.js";

export function backups({ model, signal, again }) {
  const body = h("div", { class: "card block" }, h("h3", {}, t("admin.backups")), h("p", { class: "hint" }, t("admin.backupsHint")));
  const error = h("p", { class: "error", role: "alert" });
  const restore = async (name) => {
    try {
      const restored = await ask(`configuration/backups/${encodeURIComponent(name)}`, { method: "POST", headers: { "If-Match": model.loaded.etag } });
      model.take(restored);
      again();
      say(t("admin.restored", { name }));
    } catch (problem) {
      error.textContent = problem.message;
    }
  };
  ask("configuration/backups", { signal }).then(
    ({ backups }) => {
      const rows = backups.map(({ name, time }) => h("li", {}, h("span", { class: "text" }, time ? new Date(time).toLocaleString() : name), h("button", { type: "button", "aria-label": t("admin.restoreItem", { name }), onclick: () => restore(name) }, t("admin.restore"))));
      body.append(rows.length ? h("ul", { class: "sortable" }, rows) : h("p", {}, t("admin.nothing")), error);
    },
    (problem) => !signal.aborted && body.append(h("p", { class: "error" }, problem.message)),
  );
  return body;
}
