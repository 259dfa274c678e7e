// A new gateway, step by step: credentials go straight into the vault, the rest is a document.

import { call } from "./call.js";
import { clearErrors, showErrors } from "./forms.js";
import { showOnce } from "./once.js";

const form = document.getElementById("wizard");
const steps = [...form.querySelectorAll(".tf-step")];
const [back, next] = [form.querySelector('[data-step="-1"]'), form.querySelector('[data-step="1"]')];
const create = form.querySelector("[data-create]");
let at = 0;

function show() {
  steps.forEach((step, index) => step.classList.toggle("tf-shown", index === at));
  back.hidden = at === 0;
  next.hidden = at === steps.length - 1;
  create.hidden = !next.hidden;
}

function valid() {
  return [...steps[at].querySelectorAll("input, select")].every((field) => field.offsetParent === null || field.reportValidity());
}

function showCredentials() {
  for (const place of form.querySelectorAll("[data-for-new]")) {
    place.hidden = form.elements[`credential.${place.dataset.forNew}`].value !== "new";
  }
}

function startFrom(template) {
  const types = (template.dataset.types ?? "").split(" ").filter(Boolean);
  for (const box of form.querySelectorAll('[name="connector"]')) {
    const preset = form.elements[`preset.${box.value}`];
    const own = preset.querySelector('[value="template"]');
    own.hidden = !types.includes(box.value);
    if (types.length) box.checked = types.includes(box.value);
    if (types.includes(box.value)) preset.value = "template";
    else if (preset.value === "template") preset.value = "ask";
  }
  if (template.value && !form.elements.name.value) form.elements.name.value = template.value;
}

form.addEventListener("change", (event) => {
  if (event.target.name === "template") startFrom(event.target);
  showCredentials();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input")) {
    event.preventDefault();
    (next.hidden ? create : next).click();
  }
});
form.addEventListener("click", async (event) => {
  const mover = event.target.closest("[data-step]");
  if (mover) {
    const step = Number(mover.dataset.step);
    if (step < 0 || valid()) {
      at += step;
      show();
      steps[at].querySelector("input, h2")?.focus();
    }
    return;
  }
  if (!event.target.closest("[data-create]")) return;
  clearErrors(form);
  create.disabled = true;
  try {
    // The preview may still be on its way, so it is asked for again.
    await htmx.ajax("POST", "/gateways/new/preview", { source: form, target: "#preview" });
    const document_ = form.querySelector("[data-document]");
    if ("unready" in document_.dataset) {
      form.querySelector("[data-error]").textContent = "Something is missing still: see the preview.";
      return;
    }
    for (const field of form.querySelectorAll("[data-credential]")) {
      const type = field.dataset.credential;
      const chosen = form.querySelector(`[name="connector"][value="${type}"]`).checked;
      if (!chosen || form.elements[`credential.${type}`].value !== "new") continue;
      if (!field.value) {
        form.querySelector("[data-error]").textContent = `Paste the credential for ${type}, or choose another one.`;
        at = 1;
        show();
        field.focus();
        return;
      }
      await call("PUT", `/api/v1/credentials/${form.elements.name.value.trim()}-${type}`, { value: field.value });
    }
    const made = await call("POST", "/api/v1/gateways", { document: document_.value });
    for (const field of form.querySelectorAll("[data-credential]")) field.value = "";
    showOnce(made.token, { gateway: made.name, id: made.id });
  } catch (error) {
    showErrors(form, error);
  } finally {
    create.disabled = false;
  }
});
show();
showCredentials();
