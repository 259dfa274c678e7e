// Where approvals are told: three channels and their order, kept as one.

import { call } from "./call.js";
import { bodyOf, clearErrors, showErrors } from "./forms.js";

const form = document.getElementById("notices");

function wanted() {
  const body = bodyOf(form);
  if (!body.slack?.channel) delete body.slack;
  if (!body.webhook?.url) delete body.webhook;
  if (!body.email?.host) delete body.email;
  body.steps = [...form.querySelectorAll("[data-step-of]")]
    .filter((each) => each.value !== "")
    .map((each) => ({ channel: each.dataset.stepOf, after: Number(each.value) }))
    .sort((one, other) => one.after - other.after);
  return body;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors(form);
  try {
    await call("PUT", "/api/v1/settings/notices", wanted(), form.dataset.version);
    location.reload();
  } catch (error) {
    showErrors(form, error);
  }
});
form.addEventListener("click", async (event) => {
  const channel = event.target.closest("[data-test]")?.dataset.test;
  if (!channel) return;
  const place = event.target.parentElement.querySelector("[data-tested]");
  place.textContent = "on its way …";
  try {
    await call("POST", "/api/v1/settings/notices/test", { channel });
    place.textContent = "It arrived there. (Tests use what was saved.)";
  } catch (error) {
    place.textContent = error.message;
  }
});
