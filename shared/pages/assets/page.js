// Two conveniences; every page works without them.

// The window that opened this one is told that the mailbox is connected: only the frontend's origins.
const connected = document.getElementById("connected");
if (connected && window.opener) {
  for (const origin of connected.dataset.origins.split(" ").filter(Boolean)) {
    const message = { type: "mailbox-connected", account: connected.dataset.account };
    window.opener.postMessage(message, origin);
  }
}

// Commands and links get a button that copies them.
for (const box of document.querySelectorAll(".copyable")) {
  const button = document.createElement("button");
  button.type = "button";
  const word = document.createElement("span");
  word.textContent = box.dataset.copy;
  word.setAttribute("aria-live", "polite");
  const of = document.createElement("span"); // there may be several: a screen reader hears which
  of.className = "unseen";
  of.textContent = `: ${box.querySelector(".label").textContent}`;
  button.append(word, of);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.querySelector("code").textContent);
      word.textContent = box.dataset.copied;
    } catch {
      getSelection().selectAllChildren(box.querySelector("code"));
    }
  });
  box.append(button);
}
