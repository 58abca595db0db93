/* The recipient's side, as the stand-in Exchange keeps it. Only the demo has it: Quick3 cannot read mail. */

import { element, reconcile, repeat } from "./elements.js";
import { size, time } from "./words.js";

const list = document.getElementById("inbox");
const choice = document.getElementById("inbox-mailbox");
const notice = document.getElementById("inbox-notice");
let stop = () => {};

export const inboxView = {
  show() {
    stop = repeat(async () => {
      await load();
      return 2_000;
    });
  },
  hide() {
    stop();
  },
};

choice.addEventListener("change", load);

async function load() {
  const response = await fetch("demo/inbox").catch(() => null);
  if (!response?.ok) {
    notice.replaceChildren(element("p", { class: "notice bad" }, "Innboksen svarer ikke."));
    return;
  }
  notice.replaceChildren();
  const { mailboxes, messages } = await response.json();
  const chosen = choice.value;
  choice.replaceChildren(
    element("option", { value: "" }, "Alle"),
    ...mailboxes.map((mailbox) => element("option", { value: mailbox }, mailbox)),
  );
  choice.value = mailboxes.includes(chosen) ? chosen : "";
  show(messages.filter((message) => !choice.value || message.envelope_to.includes(choice.value)));
}

function show(messages) {
  if (messages.length === 0) {
    list.replaceChildren(element("li", { class: "card empty" }, "Ingen e-post ennå."));
    return;
  }
  list.querySelector(".empty")?.remove();
  reconcile(list, messages, item);
}

function item(message) {
  return element(
    "li",
    { class: "card letter" },
    element("h2", {}, message.subject),
    element(
      "dl",
      {},
      row("Fra", message.from),
      row("Til", message.to),
      message.cc && row("Kopi", message.cc),
      row("Mottatt", time(message.received_at)),
    ),
    element("p", { class: "text" }, message.text),
    message.attachments.length > 0 &&
      element(
        "ul",
        { class: "attachments" },
        message.attachments.map((file) =>
          element("li", {}, element("a", { href: file.href, download: file.filename }, file.filename), ` ${size(file.size)}`),
        ),
      ),
    element(
      "details",
      {},
      element("summary", {}, "Konvolutt og kilde"),
      element(
        "dl",
        {},
        row("MAIL FROM", message.envelope_from),
        row("RCPT TO", message.envelope_to.join(", ")),
        row("Logget inn som", message.user),
      ),
      element("p", {}, element("a", { href: message.source, target: "_blank" }, "Hele meldingen slik den kom")),
    ),
  );
}

function row(term, value) {
  return element("div", {}, element("dt", {}, term), element("dd", {}, value));
}
