// The form with which people change their own password.

import { ask, h, say, t } from "./core.js";
import { fault, field } from "./form.js";

export function passwordForm({ name }) {
  const input = (autocomplete) => h("input", { type: "password", autocomplete, required: true });
  const [old, fresh, again] = [input("current-password"), input("new-password"), input("new-password")];
  const error = h("p", { class: "error", role: "alert" });
  const button = h("button", { type: "submit" }, t("settings.password.change"));
  const form = h(
    "form",
    { id: "password-form", class: "card block", novalidate: true, onsubmit: change },
    h("h3", {}, t("settings.password")),
    // Password managers want to know whose password it is.
    h("input", { value: name, autocomplete: "username", hidden: true }),
    h("div", { class: "fields-3" }, field(t("settings.password.old"), old), field(t("settings.password.new"), fresh), field(t("settings.password.again"), again)),
    error,
    h("div", { class: "ends" }, button),
  );

  async function change(event) {
    event.preventDefault();
    error.textContent = "";
    for (const it of [old, fresh, again]) fault(it);
    const wrong = !old.value ? [old, "settings.password.empty"] : !fresh.value ? [fresh, "settings.password.empty"] : fresh.value !== again.value && [again, "settings.password.differs"];
    if (wrong) return fault(wrong[0], t(wrong[1])), wrong[0].focus();
    button.disabled = true;
    try {
      await ask("session/password", { method: "PUT", body: { old: old.value, new: fresh.value } });
      form.reset();
      say(t("settings.password.changed"));
      form.querySelector(".done")?.remove();
      button.before(h("p", { class: "done" }, t("settings.password.changed")));
    } catch ({ status, message }) {
      const at = { 403: old, 422: fresh, 400: fresh }[status];
      if (!at) return void (error.textContent = message);
      fault(at, message);
      at.focus();
    } finally {
      button.disabled = false;
    }
  }
  return form;
}
