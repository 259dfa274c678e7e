// Runs before anything is painted, so that a dark page never flashes white.
(() => {
  const wanted = () =>
    localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const show = () => document.documentElement.setAttribute("data-bs-theme", wanted());
  show();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    localStorage.setItem("theme", wanted() === "dark" ? "light" : "dark");
    show();
    document.dispatchEvent(new Event("theme"));
  });
})();
