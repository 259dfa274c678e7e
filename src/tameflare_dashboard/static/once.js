// What is shown once: a token, or the link of an invitation.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function copyable(text) {
  const button = element("button", { type: "button", class: "btn" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return element("div", { class: "tf-secret" }, element("code", { tabindex: "0" }, text), button);
}

/** Show a secret; the page goes on when it is closed. */
export function showOnce(secret, { gateway, link, id } = {}) {
  const dialog = document.getElementById("shown-once");
  const body = dialog.querySelector(".tf-body");
  const title = link ? "The invitation" : gateway ? `The token of ${gateway}` : "Your token";
  const parts = [
    element("h2", { id: "once-title" }, title),
    element("p", { class: "mb-0" }, link ? "Send this link to them. It is shown this once." : "It is shown this once. Keep it now."),
    copyable(secret),
  ];
  if (gateway) {
    parts.push(
      element("p", { class: "mb-0" }, "In the agent's folder, where you are logged in with ", element("code", {}, "tf login"), ":"),
      copyable(`tf init --gateway ${gateway}`),
      element("p", { class: "mb-0" }, "The token itself is for machines without a login, as ", element("code", {}, "TAMEFLARE_GATEWAY_TOKEN"), " of ", element("code", {}, "tf run --proxy"), "."),
    );
  }
  const done = element("button", { type: "button", class: "btn btn-primary" }, "I have kept it");
  done.addEventListener("click", () => dialog.close());
  body.replaceChildren(...parts, element("div", {}, done));
  dialog.addEventListener(
    "close",
    () => {
      body.replaceChildren();
      if (gateway && id?.startsWith("gw_")) location.assign(`/gateways/${id}`);
      else location.reload();
    },
    { once: true },
  );
  dialog.showModal();
}
