/*
 * One e-mail account: create it, connect it at Microsoft, change it, send a test message.
 *
 * Connecting is a visit to `connect_url`. Either this window goes there and comes back (works everywhere), or a
 * window of its own does, and the dialog waits. In both cases the account is asked for afterwards: the API knows
 * whether it worked, the browser need not.
 */

import { testOutcome } from "./accounts.js";
import { changeAccount, connectAccount, createAccount, getAccount, testAccount, verifyAccount } from "./api.js";
import { badge, busy, element, repeat } from "./elements.js";
import { clearForm, obstacleBox, showInForm } from "./problems.js";
import { apiAddress } from "./session.js";
import { ACCOUNT_STATUS, CHECK_NAME, CHECK_STATUS, REQUESTED_SCOPE, rightsOf, time } from "./words.js";

const at = (id) => document.getElementById(id);
const dialog = at("account-dialog");
const form = at("account-form");
const fields = { type: at("account-type"), username: at("account-username"), address: at("account-address"), display_name: at("account-name") };
const ok = at("account-ok");
const test = at("account-test");

/** Remembers over the visit to Microsoft which account the dialog was about; only its id is kept. */
const CONNECTING = "quick3.connecting";

let account = null;
let addressFollows = true;
let stopWaiting = () => {};

export const accountDialog = {
  /** Open for *account*, or for a new one. */
  open(wanted = null) {
    account = wanted;
    form.reset();
    clearForm(form);
    if (account) {
      fields.type.value = account.type;
      fields.username.value = account.username;
      fields.address.value = account.address;
      fields.display_name.value = account.display_name ?? "";
    }
    addressFollows = fields.address.value === fields.username.value;
    show();
    if (!dialog.open) dialog.showModal();
    if (!account) fields.username.focus();
  },

  /** Open for *account* and go to Microsoft at once. */
  async reconnect(wanted) {
    this.open(wanted);
    await attempt(ok, connect);
  },

  /** Back from Microsoft in the same window: open again for the account that was being connected. */
  async resume() {
    const id = sessionStorage.getItem(CONNECTING);
    if (!id) return;
    sessionStorage.removeItem(CONNECTING);
    const found = await getAccount(id).catch(() => null);
    if (!found) return;
    this.open(found);
    if (account.status === "pending" && !account.problem) explainPending();
  },
};

/* What the dialog shows */

function show() {
  at("account-title").textContent = account ? "E-postkonto" : "Ny e-postkonto";
  showState();
  showScope();
  showType();
  const connected = account !== null && account.status !== "pending";
  test.hidden = !connected;
  at("account-window-label").hidden = connected;
  at("account-cancel").textContent = connected ? "Lukk" : "Avbryt";
}

function showState() {
  const place = at("account-state");
  if (!account) {
    place.replaceChildren();
    return;
  }
  const since = account.status === "connected" && account.connected_at && `siden ${time(account.connected_at)}`;
  place.replaceChildren(element("p", { class: "state" }, badge(ACCOUNT_STATUS[account.status]), since && ` ${since}`));
  if (account.problem) place.append(obstacleBox(account.problem, ...problemButtons()));
}

/** What the user can end comes first as connecting; what others end is only looked at again. */
function problemButtons() {
  const users = account.problem.who === "user";
  const again = problemButton("Koble til på nytt", connect, users);
  if (account.status === "pending") return [again];
  const check = problemButton("Sjekk på nytt", verify, !users);
  return users ? [again, check] : [check, again];
}

function problemButton(text, work, primary) {
  const onclick = (event) => attempt(event.currentTarget, work);
  return element("button", { type: "button", class: primary && "primary", onclick }, text);
}

function explainPending() {
  at("account-state").append(
    element("p", { class: "notice" }, "Kontoen er ikke koblet til ennå. Trykk OK for å logge inn hos Microsoft på nytt."),
  );
}

function showScope() {
  const granted = account !== null && account.status !== "pending";
  at("account-scope-lead").textContent = granted
    ? "Dette har du godtatt at Quick3 kan gjøre på dine vegne:"
    : "Dette ber vi deg godta hos Microsoft:";
  const scope = account?.scope?.length > 0 ? account.scope : REQUESTED_SCOPE;
  at("account-scope").replaceChildren(
    ...rightsOf(scope).map((right) =>
      element(
        "li",
        {},
        element("strong", {}, right.title),
        right.text && element("span", {}, right.text),
        element("span", { class: "names" }, right.scopes.map((name) => element("code", {}, name))),
      ),
    ),
  );
}

function showType() {
  const office365 = fields.type.value === "office365";
  at("account-password").disabled = office365;
  at("account-password-hint").hidden = !office365;
  at("account-scope-field").hidden = !office365;
  at("account-other-type").hidden = office365;
  at("account-username-label").textContent = office365 ? "Office 365-brukernavn" : "Brukernavn";
  ok.disabled = !office365;
  // What an account is cannot change afterwards.
  fields.type.disabled = account !== null;
}

/* What the user does */

fields.type.addEventListener("change", showType);

fields.username.addEventListener("input", () => {
  if (addressFollows) fields.address.value = fields.username.value;
});

fields.address.addEventListener("input", () => {
  addressFollows = fields.address.value === "";
});

for (const button of form.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => dialog.close());
}

dialog.addEventListener("close", () => stopWaiting());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(ok, save);
});

test.addEventListener("click", () => attempt(test, sendTest));

// The Back button can bring this page back as it was left, dialog and all.
addEventListener("pageshow", (event) => event.persisted && accountDialog.resume());

async function attempt(button, work) {
  clearForm(form);
  try {
    await busy(button, work);
  } catch (error) {
    showInForm(form, error);
  }
}

async function save() {
  if (!account) {
    account = await createAccount({ type: fields.type.value, ...entered(), display_name: fields.display_name.value.trim() || undefined });
    await visit(account.connect_url);
    return;
  }
  const changes = changed();
  if (Object.keys(changes).length > 0) account = await changeAccount(account.id, changes);
  if (account.status === "pending" || "username" in changes) await connect();
  else dialog.close();
}

function entered() {
  const username = fields.username.value.trim();
  return { username, address: fields.address.value.trim() || username };
}

function changed() {
  const now = { ...entered(), display_name: fields.display_name.value.trim() || null };
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== (account[name] ?? null)));
}

async function connect() {
  const { connect_url: url } = await connectAccount(account.id);
  await visit(url);
}

async function verify() {
  const { checks } = await verifyAccount(account.id);
  account = await getAccount(account.id);
  show();
  at("account-state").append(
    element(
      "ul",
      { class: "checks" },
      checks.map((check) =>
        element(
          "li",
          { class: check.status },
          `${CHECK_NAME[check.name] ?? check.name}: `,
          element("strong", {}, CHECK_STATUS[check.status]),
        ),
      ),
    ),
  );
}

async function sendTest() {
  const outcome = testOutcome(account, await testAccount(account.id));
  account = await getAccount(account.id);
  show();
  at("account-state").append(outcome);
}

/* To Microsoft and back */

async function visit(url) {
  if (at("account-window").checked) {
    const opened = open(url, "quick3-connect", "popup,width=540,height=760");
    if (opened) {
      await waitFor(opened);
      return;
    }
    // The browser did not let us open one: go there in this window instead.
  }
  sessionStorage.setItem(CONNECTING, account.id);
  location.assign(url);
  // The page is about to be left: keep the button busy until it is.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
}

/**
 * Wait for the window to report, to be closed, or for the account to change, whichever comes first. The report
 * only means "look now": what it says is not believed, and some sign-in pages cut the tie between the windows,
 * so the account is looked at every other second as well.
 */
function waitFor(opened) {
  show();
  at("account-state").append(element("p", { class: "notice" }, "Logg inn hos Microsoft i vinduet som åpnet seg …"));
  const before = account.connected_at;
  return new Promise((resolve) => {
    function onMessage(event) {
      if (event.source === opened && event.origin === new URL(apiAddress()).origin) look();
    }
    async function look() {
      const found = await getAccount(account.id).catch(() => account);
      const closed = opened.closed;
      if (found.connected_at === before && !closed) return 2_000;
      account = found;
      stopWaiting();
      show();
      if (account.status === "pending" && !account.problem) explainPending();
      return null;
    }
    const stop = repeat(look);
    stopWaiting = () => {
      stop();
      removeEventListener("message", onMessage);
      stopWaiting = () => {};
      resolve();
    };
    addEventListener("message", onMessage);
  });
}
