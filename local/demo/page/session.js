/*
 * Who is signed in to Quick3, and the bearer token that says so to the mail API.
 *
 * In Quick3 itself the token comes from the sign-in that the user already has. Here the demo's own server
 * asks the stand-in issuer for one. The token is kept in memory only: never in storage, never in an address.
 */

let session = null;

/** Fetch a session: {name, company, api, token, expires_at}. */
export async function startSession() {
  const response = await fetch("demo/session", { method: "POST" });
  if (!response.ok) throw new Error(`demo/session answered ${response.status}`);
  session = await response.json();
  return session;
}

/** The address of the API, ending in /api. */
export function apiAddress() {
  return session.api;
}

/** A token that is good for another half minute at least. */
export async function bearerToken({ fresh = false } = {}) {
  const left = Date.parse(session.expires_at) - Date.now();
  if (fresh || left < 30_000) await startSession();
  return session.token;
}
