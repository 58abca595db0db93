/*
 * Starts the page and shows the view that the address names (#/kontoer, #/skriv, #/sendt, #/innboks).
 *
 *   session.js         who is signed in to Quick3, the bearer token, where the API is
 *   api.js             one function per call of the HTTP API; failures are Problems (RFC 9457)
 *   problems.js        shows a Problem: beside the field at fault, or in a box with who does what next
 *   words.js           every Norwegian word that stands for a value of the API
 *   elements.js        builds elements from values, always as text, never as markup
 *   accounts.js        the list of e-mail accounts
 *   account-dialog.js  one account: create, connect at Microsoft, change, test
 *   compose.js         write and send
 *   sent.js            sent messages and their status
 *   inbox.js           the recipient's side; only the demo has it
 */

import { accountDialog } from "./account-dialog.js";
import { accountsView } from "./accounts.js";
import { composeView } from "./compose.js";
import { inboxView } from "./inbox.js";
import { sentView } from "./sent.js";
import { startSession } from "./session.js";

/** A view is {show(argument), hide()}; the argument is what follows the name: #/sendt/<account id>. */
const views = { kontoer: accountsView, skriv: composeView, sendt: sentView, innboks: inboxView };
let current = null;

function route() {
  if (location.hash === "#innhold") return;
  const [, wanted, argument] = location.hash.split("/");
  const name = wanted in views ? wanted : "kontoer";
  current?.hide();
  for (const section of document.querySelectorAll("[data-view]")) {
    section.hidden = section.dataset.view !== name;
  }
  for (const link of document.querySelectorAll(".menu a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${document.getElementById(`${name}-tittel`).textContent} – Quick3`;
  current = views[name];
  current.show(argument);
}

const session = await startSession();
document.getElementById("who").textContent = `${session.name}, ${session.company}`;
addEventListener("hashchange", route);
route();
accountDialog.resume();
