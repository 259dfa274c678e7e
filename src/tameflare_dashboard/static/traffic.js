// Following traffic: new rows come in at the top, old ones leave at the bottom.

const MOST = 200;
const rows = document.getElementById("rows");
const button = document.querySelector("[data-live]");
let following = true;

button?.addEventListener("click", () => {
  following = !following;
  button.setAttribute("aria-pressed", String(following));
  button.querySelector("span").textContent = following ? "Following" : "Paused";
  if (following) htmx.trigger(rows, "sse:traffic");
});
rows.addEventListener("htmx:beforeRequest", (event) => {
  // What comes in would move what somebody is looking at.
  const reading = document.getElementById("drawer").open || document.hidden;
  if (event.target === rows && (!following || reading)) event.preventDefault();
});
document.getElementById("drawer").addEventListener("close", () => following && htmx.trigger(rows, "sse:traffic"));
document.addEventListener("visibilitychange", () => following && htmx.trigger(rows, "sse:traffic"));
rows.addEventListener("htmx:afterSwap", (event) => {
  if (event.target !== rows) return;
  document.getElementById("no-rows")?.remove();
  while (rows.rows.length > MOST) rows.lastElementChild.remove();
});
