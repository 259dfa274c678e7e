// Forms that say in `data-call` which call of the API they are. What is wrong stands beside its field.

import { call, Refused } from "./call.js";
import { showOnce } from "./once.js";

function put(body, name, value) {
  const parts = name.split(".");
  const last = parts.pop();
  let place = body;
  for (const part of parts) place = place[part] ??= {};
  place[last] = value;
}

export function bodyOf(form) {
  const body = JSON.parse(form.dataset.constant ?? "{}");
  for (const field of form.elements) {
    if (!field.name || "leftOut" in field.dataset || "inPath" in field.dataset) continue;
    if (field.type === "radio" && !field.checked) continue;
    switch (field.dataset.type) {
      case "number":
        if (field.value !== "") put(body, field.name, Number(field.value));
        break;
      case "list":
        body[field.name] ??= [];
        if (field.checked) body[field.name].push(field.value);
        break;
      case "commas":
        put(body, field.name, field.value.split(",").map((each) => each.trim()).filter(Boolean));
        break;
      default:
        if (field.required || field.value !== "" || field.type === "hidden") put(body, field.name, field.value);
    }
  }
  return body;
}

export function clearErrors(form) {
  for (const each of form.querySelectorAll("[data-field-error]")) each.remove();
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  const general = form.querySelector("[data-error]");
  if (general) general.textContent = "";
}

export function showErrors(form, error) {
  if (!(error instanceof Refused)) throw error;
  const rest = [];
  for (const text of error.errors) {
    const [place, ...why] = text.split(": ");
    const name = place.replace(/^body\./, "");
    const field = [...form.elements].find((each) => each.name === name && each.type !== "hidden");
    if (!field) {
      rest.push(text);
      continue;
    }
    const words = document.createElement("p");
    words.className = "tf-error mb-0";
    words.id = `${field.id || name}-error`;
    words.dataset.fieldError = "";
    words.textContent = why.join(": ");
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", words.id);
    field.after(words);
  }
  const general = form.querySelector("[data-error]");
  const text = error.errors.length > rest.length && !rest.length ? "" : [error.message, ...rest].join("\n");
  if (general) general.textContent = text;
  else if (text) alert(text);
  form.querySelector("[aria-invalid]")?.focus();
}

export function goOn(form, made) {
  const then = form.dataset.then;
  if (form.dataset.done) {
    form.replaceChildren(form.dataset.done);
    form.setAttribute("role", "status");
  } else if (then === "reload") location.reload();
  else if (then === "token") {
    const gateway = made.id.startsWith("gw_") ? made.name : form.dataset.gateway;
    showOnce(made.token, { gateway, id: made.id });
  }
  else if (then === "link") showOnce(made.link, { link: true });
  else location.assign(then ?? "/");
}

async function send(form) {
  clearErrors(form);
  const question = form.dataset.confirm;
  if (question && !confirm(question)) return;
  let [method, path] = form.dataset.call.split(" ");
  for (const field of form.elements) {
    if ("inPath" in field.dataset) path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
  }
  const body = method === "DELETE" ? undefined : bodyOf(form);
  const button = form.querySelector("button:not([type=button])");
  if (button) button.disabled = true;
  try {
    goOn(form, await call(method, path, body, form.dataset.version));
  } catch (error) {
    showErrors(form, error);
  } finally {
    if (button) button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-call]");
  if (!form) return;
  event.preventDefault();
  send(form);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-at-once]");
  if (form) send(form);
});
for (const field of document.querySelectorAll("[data-from-hash]")) {
  if (location.hash.length > 1) {
    field.value = location.hash.slice(1);
    // The code opens the control plane once; it need not stay in the address bar.
    history.replaceState(null, "", location.pathname);
  }
}
