// The queues: waiting callers, agents, and one's own pause. They are asked for again and again
// while somebody looks.

import { $, ask, h, refusal, set, t } from "./core.js";
import { elapsed } from "./calls.js";

/** How often (ms). */
const EVERY = 3e3;
const LOOKS = { idle: "available", busy: "call", ringing: "ringing", unavailable: "unavailable" };
/** The reason of a pause that came with a status. */
const BY_STATUS = "UserPresence";
const PRESENCE = { idle: "Available", busy: "Busy", ringing: "Available", unavailable: "Offline" };

export async function show(element, { caller, signal, say }) {
  let tag = null;
  const get = async () => {
    const answer = await fetch("v1/account/~/queues", { signal, cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 304) return null;
    if (!answer.ok) throw await refusal(answer);
    tag = answer.headers.get("ETag");
    return (await answer.json()).queues;
  };
  const problem = h("p", { class: "error", role: "alert" });
  const all = h("div", { class: "queue-list" });
  const paint = (queues) => {
    // The button or field with the focus keeps it, and a reason its text.
    const { id } = document.activeElement;
    const typed = new Map([...all.querySelectorAll("input")].map((it) => [it.id, it.value]));
    all.replaceChildren(...(queues.length ? queues.map(queue) : [h("p", { class: "notice" }, t("queue.none"))]));
    for (const field of all.querySelectorAll("input")) field.value = typed.get(field.id) ?? "";
    if (id && !element.contains(document.activeElement)) $(id)?.focus();
  };
  /** Sets one's own pause. */
  const pause = async (name, paused, reason) => {
    try {
      await ask(`account/~/queues/${encodeURIComponent(name)}/own`, { method: "PUT", body: { paused, ...(reason && { reason }) }, signal });
      say(t(paused ? "queue.nowPaused" : "queue.nowTaking", { queue: name }));
      set(problem, "");
      paint((await get()) ?? []);
    } catch (error) {
      if (!signal.aborted) set(problem, error.message);
    }
  };

  function queue({ name, waiting, members, hidden, own }, at) {
    const title = h("h2", { id: `queue-${at}` }, name);
    const count = h("p", { class: "soft" }, t("queue.waiting", { count: waiting.length }));
    return h("section", { class: "card queue", "aria-labelledby": `queue-${at}` }, title, count, own && caller.role !== "read" && ownPause(name, own, at), callers(waiting), agents(members, hidden));
  }

  function ownPause(name, { paused }, at) {
    const reason = h("input", { id: `reason-${at}`, maxlength: 80 });
    const press = (event) => (event.preventDefault(), pause(name, !paused, paused ? "" : reason.value.trim()));
    const button = h("button", { id: `pause-${at}`, class: paused && "main" }, t(paused ? "queue.resume" : "queue.pause"));
    return h("form", { class: "own", onsubmit: press }, !paused && h("label", { class: "pick" }, h("span", {}, t("queue.reason")), reason), button);
  }

  signal.addEventListener("abort", () => clearInterval(clock));
  const clock = setInterval(() => {
    if (!document.hidden) for (const time of all.querySelectorAll("time")) set(time, elapsed(new Date(time.dateTime)));
  }, 1e3);
  paint(await get());
  element.append(h("h1", { class: "unseen" }, t("board.queues")), problem, all);
  // From now on without an end, so `show` does not wait for it.
  (async () => {
    for (;;) {
      await new Promise((done) => setTimeout(done, EVERY));
      if (signal.aborted) return;
      if (document.hidden) continue;
      try {
        const queues = await get();
        if (queues) paint(queues);
        set(problem, "");
      } catch (error) {
        if (signal.aborted) return;
        set(problem, "status" in error ? error.message : t("error.network"));
      }
    }
  })();
}

function callers(waiting) {
  if (!waiting.length) return null;
  const one = ({ name, number, since }) => {
    const who = name && number && name !== number ? `${name} · ${number}` : name || number || t("calls.unknown");
    return h("li", {}, h("span", { dir: "auto" }, who), " ", h("time", { datetime: new Date(since).toISOString() }, elapsed(since)));
  };
  return [h("h3", {}, t("queue.callers")), h("ol", {}, waiting.map(one))];
}

function agents(members, hidden) {
  const one = ({ name, paused, reason, state, calls }) => {
    const words = [t(`queue.${state}`), paused && (reason && reason !== BY_STATUS ? t("queue.pausedFor", { reason }) : t("queue.paused")), calls > 0 && (calls === 1 ? t("queue.call") : t("queue.calls", { count: calls }))];
    const dot = h("span", { class: `dot ${LOOKS[state] ?? ""}`, "data-presence": paused ? "" : PRESENCE[state], "aria-hidden": "true" });
    return h("li", {}, dot, " ", h("span", { dir: "auto" }, name), " ", h("span", { class: "soft" }, words.filter(Boolean).join(" · ")));
  };
  const others = hidden > 0 && h("p", { class: "soft" }, t("queue.hidden", { count: hidden }));
  return [h("h3", {}, t("queue.agents")), h("ul", {}, members.map(one)), others];
}
