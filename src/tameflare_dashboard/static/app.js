// What every page does: local times, dialogs, the drawer, and saying that something waits.

import "./forms.js";
import { shareEvents } from "./live.js";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const today = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function showTimes(root) {
  for (const each of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(each.dateTime);
    const same = moment.toDateString() === new Date().toDateString();
    each.textContent = (same ? today : local).format(moment);
    each.dataset.local = "";
  }
}

const title = document.title;
function showWaiting() {
  const count = document.querySelector("[data-pending]")?.dataset.pending;
  document.title = count && count !== "0" ? `(${count}) ${title}` : title;
}

async function drawCharts() {
  if (document.querySelector("[data-chart]")) (await import("./chart.js")).drawCharts();
}

shareEvents();
showTimes(document);
showWaiting();
drawCharts();
document.addEventListener("theme", drawCharts);
document.addEventListener("htmx:afterSettle", (event) => {
  showTimes(event.target.parentElement ?? document);
  showWaiting();
  drawCharts();
});

document.addEventListener("click", async (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    const dialog = document.getElementById(opener.dataset.dialog);
    dialog.showModal();
    dialog.querySelector("[name=reason]")?.focus();
    return;
  }
  if (event.target.closest("[data-close]")) {
    const dialog = event.target.closest("dialog");
    if (dialog) dialog.close();
    else history.back();
    return;
  }
  const link = event.target.closest("a[data-drawer]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    const drawer = document.getElementById("drawer");
    await htmx.ajax("GET", link.getAttribute("href"), { target: drawer, swap: "innerHTML" });
    drawer.showModal();
  }
});
