// Calls of the API, the way every other client makes them.

const csrf = () => document.querySelector('meta[name="csrf"]')?.content;

export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? "the control plane did not say why");
    this.status = problem.status;
    this.errors = problem.errors ?? [];
  }
}

/** Call `method path` with a JSON body; `version` is the ETag that the page was made from. */
export async function call(method, path, body, version) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (csrf()) headers["X-CSRF-Token"] = csrf();
  if (version) headers["If-Match"] = `"${version}"`;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused({ detail: "The control plane cannot be reached. Nothing was changed; try again." });
  }
  const text = await answer.text();
  let document_ = {};
  try {
    document_ = text ? JSON.parse(text) : {};
  } catch {
    document_ = {};
  }
  if (answer.ok) return document_;
  if (answer.status === 412) {
    document_.detail = "Somebody else changed this since the page was loaded. Reload it, and make your edit on that.";
  }
  throw new Refused({ status: answer.status, ...document_ });
}

/** Say something briefly at the bottom of the page. */
export function say(words) {
  const place = document.querySelector(".tf-toast");
  if (!place) return;
  place.textContent = words;
  setTimeout(() => {
    if (place.textContent === words) place.textContent = "";
  }, 5000);
}
