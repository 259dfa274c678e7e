// The editor of rules: rows come and go, the server says what they would do, the API keeps them.

import { call } from "./call.js";
import { clearErrors, showErrors } from "./forms.js";

const form = document.getElementById("rules");
const rows = document.getElementById("rule-rows");
const template = document.getElementById("rule-row");
const COLUMNS = ["connector", "action", "access", "risk", "category", "resource", "decision"];
let dirty = false;

function changed() {
  dirty = true;
  htmx.trigger(form, "rules");
}

function add(values) {
  const row = template.content.firstElementChild.cloneNode(true);
  for (const [name, value] of Object.entries(values)) {
    const field = row.querySelector(`[name="rule.${name}"]`);
    if (field && value) field.value = value;
  }
  rows.append(row);
  row.classList.add("tf-new");
  return row;
}

function read() {
  return [...rows.rows].map((row) => {
    const rule = {};
    for (const name of COLUMNS) {
      const value = row.querySelector(`[name="rule.${name}"]`).value.trim();
      if (!value) continue;
      rule[name] = name !== "resource" ? value : Object.fromEntries(
        value.split(",").map((pair) => {
          const at = pair.indexOf("=");
          return [pair.slice(0, at < 0 ? undefined : at).trim(), at < 0 ? "" : pair.slice(at + 1).trim()];
        }),
      );
    }
    return rule;
  });
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  if (event.target.name?.startsWith("rule.")) dirty = true;
});
form.addEventListener("click", async (event) => {
  const adder = event.target.closest("[data-add-rule]");
  if (adder) {
    const row = add({ action: adder.dataset.addRule, connector: adder.dataset.connector, decision: "require_approval" });
    row.querySelector('[name="rule.action"]').focus();
    if (adder.dataset.addRule) changed();
    return;
  }
  const remover = event.target.closest("[data-remove-rule]");
  if (remover) {
    remover.closest("tr").remove();
    changed();
    return;
  }
  if (event.target.closest("[data-save-rules]")) {
    clearErrors(form);
    try {
      await call("PUT", `/api/v1/gateways/${form.dataset.gateway}/permissions`, { items: read() }, form.dataset.version);
      dirty = false;
      location.assign(location.pathname);
    } catch (error) {
      showErrors(form, error);
    }
  }
});
document.getElementById("preset")?.addEventListener("change", (event) => {
  const preset = event.target.selectedOptions[0];
  const connector = document.getElementById("preset-connector").selectedOptions[0];
  if (!preset?.dataset.limits || !connector) return;
  for (const row of [...rows.rows]) {
    if (row.querySelector('[name="rule.connector"]').value === connector.value) row.remove();
  }
  for (const limits of JSON.parse(preset.dataset.limits)) {
    add({ connector: connector.value, action: connector.dataset.pattern, ...limits });
  }
  event.target.value = "";
  changed();
});
addEventListener("beforeunload", (event) => {
  if (dirty) event.preventDefault();
});
// A rule that a link suggested is not saved yet: what it would change is shown at once.
if (new URLSearchParams(location.search).has("action")) addEventListener("load", changed);
