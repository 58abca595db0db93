/* The list of e-mail accounts: what each may do, what stands in its way, and who can put it right. */

import { accountDialog } from "./account-dialog.js";
import { allAccounts, deleteAccount, testAccount, verifyAccount } from "./api.js";
import { badge, busy, confirmed, element, reconcile, repeat } from "./elements.js";
import { obstacleBox, problemBox, showError } from "./problems.js";
import { ACCOUNT_STATUS, ACCOUNT_TYPE, reply, time } from "./words.js";

const list = document.getElementById("accounts");
const notice = document.getElementById("accounts-notice");
let stop = null;

export const accountsView = {
  show() {
    stop = repeat(async () => {
      await load();
      return 5_000;
    });
  },
  hide() {
    stop();
    notice.replaceChildren();
  },
};

document.getElementById("new-account").addEventListener("click", () => accountDialog.open());
document.getElementById("account-dialog").addEventListener("close", load);

async function load() {
  try {
    const accounts = await allAccounts();
    if (accounts.length === 0) {
      list.replaceChildren(element("li", { class: "card empty" }, "Ingen e-postkontoer ennå. Opprett den første med knappen over."));
    } else {
      list.querySelector(".empty")?.remove();
      reconcile(list, accounts, card);
    }
  } catch (error) {
    if (notice.childElementCount === 0) showError(notice, error);
  }
}

function card(account) {
  const name = account.display_name ? `${account.display_name} <${account.address}>` : account.address;
  return element(
    "li",
    { class: "card account" },
    element(
      "div",
      { class: "top" },
      element("h2", {}, name),
      badge(ACCOUNT_STATUS[account.status]),
    ),
    facts(account),
    account.problem && obstacleBox(account.problem, ...problemButtons(account)),
    element("div", { class: "outcome", role: "status" }),
    element("div", { class: "buttons" }, buttons(account)),
  );
}

function facts(account) {
  const rows = [
    ["Type", ACCOUNT_TYPE[account.type] ?? account.type],
    ["Office 365-brukernavn", account.username],
    ["Tilkoblet", time(account.connected_at)],
    ["Sist sendt", time(account.last_sent_at)],
    ["Venter på å bli sendt", account.waiting > 0 ? String(account.waiting) : ""],
  ];
  return element(
    "dl",
    {},
    rows.filter(([, value]) => value).map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value))),
  );
}

function buttons(account) {
  const all = [
    account.status === "pending" && button("Koble til", () => accountDialog.open(account), "primary"),
    account.status !== "pending" && button("Send test-e-post", (press) => test(account, press)),
    account.status !== "pending" && button("Endre", () => accountDialog.open(account)),
    button("Slett", () => remove(account), "quiet"),
  ];
  return all.filter(Boolean);
}

/** What the user can end comes first as connecting; what others end is only looked at again. */
function problemButtons(account) {
  const users = account.problem.who === "user";
  const connect = button("Koble til på nytt", () => accountDialog.reconnect(account), users && "primary");
  if (account.status === "pending") return [connect];
  const check = button("Sjekk på nytt", (press) => verify(account, press), !users && "primary");
  return users ? [connect, check] : [check, connect];
}

function button(text, action, kind) {
  return element("button", { type: "button", class: kind, onclick: (event) => action(event.currentTarget) }, text);
}

async function test(account, press) {
  const outcome = press.closest("li").querySelector(".outcome");
  outcome.replaceChildren(element("p", { class: "notice" }, "Sender test-e-post …"));
  try {
    outcome.replaceChildren(testOutcome(account, await busy(press, () => testAccount(account.id))));
  } catch (error) {
    showError(outcome, error);
  }
}

/** What became of a test message; the dialog shows the same. */
export function testOutcome(account, message) {
  if (message.status === "sent") {
    const answer = message.attempts.at(-1)?.reply;
    return element(
      "div",
      { class: "notice good" },
      element("p", { class: "title" }, `Test-e-posten er sendt til ${account.address}.`),
      answer && element("p", { class: "reply" }, `Microsoft svarte: ${reply(answer)}`),
    );
  }
  if (message.problem) return problemBox(message.problem);
  return element("p", { class: "notice" }, "Test-e-posten er i kø og går så snart den kan. Du ser den under Sendt.");
}

async function verify(account, press) {
  const place = notice;
  try {
    await busy(press, () => verifyAccount(account.id));
    place.replaceChildren();
    await load();
  } catch (error) {
    showError(place, error);
  }
}

async function remove(account) {
  const sure = await confirmed({
    title: "Slette e-postkontoen?",
    text: `${account.address} kan ikke sende mer fra Quick3, og e-post som venter blir ikke sendt.`,
    yes: "Slett",
  });
  if (!sure) return;
  try {
    await deleteAccount(account.id);
    await load();
  } catch (error) {
    showError(notice, error);
  }
}
