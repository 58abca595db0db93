/* Sent messages, newest first, each with its status, what the server answered, and what can be done about it. */

import { allAccounts, cancelMessage, listMessages, resolveMessage, retryMessage } from "./api.js";
import { announce, badge, busy, confirmed, element, reconcile, repeat } from "./elements.js";
import { problemBox, showError } from "./problems.js";
import { MESSAGE_STATUS, MOVING, reply, size, time } from "./words.js";

const list = document.getElementById("sent");
const choice = document.getElementById("sent-account");
const notice = document.getElementById("sent-notice");
const more = document.getElementById("sent-more");

let messages = [];
let next = null;
let stop = () => {};

export const sentView = {
  async show(accountId) {
    notice.replaceChildren();
    try {
      const accounts = await allAccounts();
      const chosen = accountId ?? choice.value;
      choice.replaceChildren(...accounts.map((account) => element("option", { value: account.id }, account.address)));
      if (accounts.some((account) => account.id === chosen)) choice.value = chosen;
      follow();
    } catch (error) {
      showError(notice, error);
    }
  },
  hide() {
    stop();
  },
};

choice.addEventListener("change", follow);
more.addEventListener("click", () => busy(more, older));

/** Show the chosen account's messages and look again: often while something is on its way, else seldom. */
function follow() {
  stop();
  messages = [];
  list.replaceChildren();
  more.hidden = true;
  if (!choice.value) {
    show();
    return;
  }
  stop = repeat(async () => {
    try {
      const answer = await listMessages(choice.value);
      if (messages.length === 0) next = answer.next;
      const fresh = new Set(answer.items.map((message) => message.id));
      messages = [...answer.items, ...messages.filter((message) => !fresh.has(message.id))];
      notice.replaceChildren();
      show();
    } catch (error) {
      if (notice.childElementCount === 0) showError(notice, error);
    }
    return messages.some((message) => MOVING.has(message.status)) ? 1_500 : 10_000;
  });
}

async function older() {
  try {
    const answer = await listMessages(choice.value, next);
    next = answer.next;
    messages = [...messages, ...answer.items];
    show();
  } catch (error) {
    showError(notice, error);
  }
}

function show() {
  more.hidden = next === null;
  if (messages.length === 0) {
    list.replaceChildren(element("li", { class: "card empty" }, "Ingen meldinger ennå."));
    return;
  }
  list.querySelector(".empty")?.remove();
  for (const message of reconcile(list, messages, item)) {
    announce(`${message.subject}: ${MESSAGE_STATUS[message.status][0]}`);
  }
}

function item(message) {
  return element(
    "li",
    { class: "card message" },
    element(
      "div",
      { class: "top" },
      element("h2", {}, message.subject || "(uten emne)"),
      badge(MESSAGE_STATUS[message.status]),
    ),
    element("p", { class: "meta" }, `Til ${message.to.map(shown).join(", ")}`),
    element("p", { class: "meta" }, when(message)),
    message.problem && problemBox(message.problem),
    message.refused.map((refusal) =>
      element("p", { class: "notice bad" }, `${refusal.address} fikk den ikke: ${reply(refusal.reply)}`),
    ),
    message.attempts.length > 0 && attempts(message),
    element("div", { class: "buttons" }, buttons(message)),
  );
}

/** An address as text, whichever of the API's forms it has. */
function shown(address) {
  if (typeof address === "string") return address;
  return address.name ? `${address.name} <${address.address}>` : address.address;
}

function when(message) {
  const parts = [message.sent_at ? `Sendt ${time(message.sent_at)}` : `Skrevet ${time(message.created_at)}`, size(message.size)];
  if (message.status === "queued" && message.next_attempt_at) parts.push(`neste forsøk ${time(message.next_attempt_at)}`);
  return parts.join(" · ");
}

function attempts(message) {
  return element(
    "details",
    {},
    element("summary", {}, message.status === "sent" ? "Svaret fra Microsoft" : `Forsøk: ${message.attempts.length}`),
    element(
      "ol",
      {},
      message.attempts.map((attempt) =>
        element(
          "li",
          {},
          time(attempt.at),
          attempt.reply && element("code", { class: "reply" }, reply(attempt.reply)),
          !attempt.reply && ` ingen svar (${attempt.phase})`,
        ),
      ),
    ),
    element("p", { class: "meta" }, "Message-ID ", element("code", {}, message.message_id)),
  );
}

function buttons(message) {
  const { status } = message;
  if (status === "uncertain") {
    return [
      button("Den kom fram", () => resolveMessage(message, "sent")),
      button("Send på nytt", async () => {
        const sure = await confirmed({
          title: "Sende en gang til?",
          text: "Forbindelsen ble brutt før Microsoft svarte. Spør mottakeren først: kom den fram, får de den to ganger.",
          yes: "Send på nytt",
        });
        return sure ? resolveMessage(message, "resend") : message;
      }),
    ];
  }
  return [
    (status === "failed" || status === "held" || (status === "queued" && message.attempts.length > 0)) &&
      button("Prøv nå", () => retryMessage(message)),
    (status === "queued" || status === "held") && button("Avbryt sending", () => cancelMessage(message)),
  ].filter(Boolean);
}

function button(text, action) {
  return element("button", { type: "button", onclick: (event) => act(event.currentTarget, action) }, text);
}

async function act(press, action) {
  try {
    const after = await busy(press, action);
    messages = messages.map((message) => (message.id === after.id ? after : message));
    show();
  } catch (error) {
    showError(notice, error);
  }
}
