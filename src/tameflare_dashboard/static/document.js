// The document's editor: a mistake that is clicked is shown where it is.

const text = document.getElementById("document");

document.getElementById("check").addEventListener("click", (event) => {
  const line = event.target.closest("[data-problem]")?.dataset.problem.match(/:(\d+):/)?.[1];
  if (!line) return;
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  text.scrollTop = (line - 5) * parseFloat(getComputedStyle(text).lineHeight);
});
text.addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    text.form.requestSubmit();
  }
});
