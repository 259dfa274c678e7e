// The queue: answers by button and key, and a word to whoever is elsewhere.

import { call, say } from "./call.js";

const PLACES = "[data-approval]";
const typing = () => document.activeElement?.matches("input, select, textarea");
let known = new Set([...document.querySelectorAll(PLACES)].map((each) => each.dataset.approval));

async function answer(place, how) {
  const error = place.querySelector("[data-error]");
  error.textContent = "";
  const body = {};
  const note = place.querySelector("[data-note]").value.trim();
  if (note) body.note = note;
  if (how === "widen") body.for_seconds = Number(place.querySelector("[data-for]").value);
  const verb = how === "deny" ? "deny" : "approve";
  for (const each of place.querySelectorAll("button")) each.disabled = true;
  try {
    await call("POST", `/api/v1/approvals/${place.dataset.approval}/${verb}`, body);
    say(`${how === "deny" ? "Denied" : "Approved"}: ${place.dataset.summary}`);
    const next = place.nextElementSibling ?? place.previousElementSibling;
    if (document.getElementById("queue")) {
      place.remove();
      if (next?.matches(PLACES)) choose(next);
    } else location.reload();
  } catch (problem) {
    error.textContent = problem.message;
    for (const each of place.querySelectorAll("button")) each.disabled = false;
  }
}

function choose(place) {
  for (const each of document.querySelectorAll(".tf-chosen")) each.classList.remove("tf-chosen");
  place.classList.add("tf-chosen");
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const places = [...document.querySelectorAll(PLACES)];
  if (!places.length) return;
  const now = places.findIndex((each) => each.classList.contains("tf-chosen"));
  choose(places[now < 0 ? 0 : Math.min(Math.max(now + step, 0), places.length - 1)]);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-answer]");
  if (button) answer(button.closest(PLACES), button.dataset.answer);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (typing()) {
    if (event.key === "Escape") document.activeElement.blur();
    return;
  }
  const chosen = document.querySelector(".tf-chosen");
  if (event.key === "j" || event.key === "ArrowDown") move(1);
  else if (event.key === "k" || event.key === "ArrowUp") move(-1);
  else if (chosen && event.key === "a") chosen.querySelector('[data-answer="approve"]')?.click();
  else if (chosen && event.key === "d") chosen.querySelector('[data-answer="deny"]')?.click();
  else if (chosen && event.key === "n") chosen.querySelector("[data-note]")?.focus();
  else return;
  event.preventDefault();
});

// What somebody has written, and what is chosen, outlives the queue that comes anew.
const kept = new Map();
let chosenId;
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.id !== "queue") return;
  kept.clear();
  for (const each of document.querySelectorAll(PLACES)) {
    const field = each.querySelector("[data-note]");
    if (field?.value || field === document.activeElement) {
      kept.set(each.dataset.approval, { note: field.value, focus: field === document.activeElement });
    }
  }
  chosenId = document.querySelector(".tf-chosen")?.dataset.approval;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "queue") return;
  const places = [...document.querySelectorAll(PLACES)];
  for (const each of places) {
    const was = kept.get(each.dataset.approval);
    if (was) {
      const field = each.querySelector("[data-note]");
      if (field) field.value = was.note;
      if (was.focus) field?.focus();
    }
    if (each.dataset.approval === chosenId) each.classList.add("tf-chosen");
    if (!known.has(each.dataset.approval)) notify(each);
  }
  known = new Set(places.map((each) => each.dataset.approval));
});

function notify(place) {
  place.classList.add("tf-new");
  if (!("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
  const shown = new Notification("An agent asks", { body: place.dataset.summary, tag: place.dataset.approval });
  shown.addEventListener("click", () => {
    window.focus();
    choose(place);
  });
}

const asker = document.querySelector("[data-notify]");
if (asker && "Notification" in window && Notification.permission === "default") {
  asker.hidden = false;
  asker.addEventListener("click", async () => {
    await Notification.requestPermission();
    asker.hidden = true;
  });
}
