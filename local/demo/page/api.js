/*
 * The HTTP API, called straight from the browser (CORS; this page's origin is in ALLOWED_ORIGINS).
 * Every function answers with the parsed body or throws a Problem.
 */

import { apiAddress, bearerToken } from "./session.js";

/** What the API says when something is wrong: an RFC 9457 document and more (code, who, action, errors). */
export class Problem extends Error {
  constructor(document, retryAfter = null) {
    super(document.title);
    this.code = document.code;
    this.title = document.title;
    this.detail = document.detail;
    this.who = document.who;
    this.action = document.action;
    this.faults = document.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

const UNREACHABLE = {
  code: "unreachable",
  title: "Vi får ikke kontakt med e-posttjenesten",
  detail: "Svaret uteble. Det kan være nettet ditt eller en kort stans hos oss.",
  who: "user",
  action: "Vent litt og prøv igjen. Ingenting blir sendt to ganger.",
};

async function request(method, path, { body, headers = {}, fresh = false } = {}) {
  const init = {
    method,
    headers: {
      Accept: "application/json",
      "Accept-Language": "nb",
      Authorization: `Bearer ${await bearerToken({ fresh })}`,
      ...headers,
    },
    // Longer than any `Prefer: wait`, shorter than a person's patience.
    signal: AbortSignal.timeout(75_000),
  };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  try {
    return await fetch(apiAddress() + path, init);
  } catch {
    throw new Problem(UNREACHABLE);
  }
}

async function call(method, path, options) {
  let response = await request(method, path, options);
  // The token may have been withdrawn before its time: ask once for another one.
  if (response.status === 401) response = await request(method, path, { ...options, fresh: true });
  if (response.status === 204) return null;
  const document = await response.json().catch(() => null);
  if (response.ok && document) return document;
  throw new Problem(document ?? { ...UNREACHABLE, code: `http-${response.status}` }, response.headers.get("Retry-After"));
}

const segment = encodeURIComponent;
const page = (cursor) => (cursor ? `?cursor=${segment(cursor)}` : "");

/* Accounts */

/** @param {{type: string, username: string, address: string, display_name?: string}} account */
export const createAccount = (account) => call("POST", "/accounts", { body: account });
export const getAccount = (id) => call("GET", `/accounts/${segment(id)}`);
export const changeAccount = (id, changes) => call("PATCH", `/accounts/${segment(id)}`, { body: changes });
export const deleteAccount = (id) => call("DELETE", `/accounts/${segment(id)}`);
/** A new {connect_url, expires_at}; the account, its settings and its waiting mail stay. */
export const connectAccount = (id) => call("POST", `/accounts/${segment(id)}/connect`);
/** Check the connection without sending: {ok, checks: [{name, status, problem?}]}. */
export const verifyAccount = (id) => call("POST", `/accounts/${segment(id)}/verify`);
/** A message from the account to itself; answers when it is final, or after 20 s. */
export const testAccount = (id) => call("POST", `/accounts/${segment(id)}/test`);

/** Every account of the company. Companies have few: all pages are read. */
export async function allAccounts() {
  const accounts = [];
  let cursor = null;
  do {
    const answer = await call("GET", `/accounts${page(cursor)}`);
    accounts.push(...answer.items);
    cursor = answer.next;
  } while (cursor);
  return accounts;
}

/* Messages */

/**
 * Hand over a message. *key* stays the same when the same message is tried again, so that a lost answer
 * does not become a second copy (header Idempotency-Key).
 */
export const sendMessage = (accountId, message, key) =>
  call("POST", `/accounts/${segment(accountId)}/messages`, {
    body: message,
    headers: { "Idempotency-Key": key },
  });
export const listMessages = (accountId, cursor) =>
  call("GET", `/accounts/${segment(accountId)}/messages${page(cursor)}`);
const messagePath = (message) => `/accounts/${segment(message.account_id)}/messages/${segment(message.id)}`;
export const cancelMessage = (message) => call("POST", `${messagePath(message)}/cancel`);
export const retryMessage = (message) => call("POST", `${messagePath(message)}/retry`);
/** Settle an uncertain message; *as* is "sent" or "resend". */
export const resolveMessage = (message, as) => call("POST", `${messagePath(message)}/resolve`, { body: { as } });
