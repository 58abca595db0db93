/* Every Norwegian word that stands for a value of the API, and how times and sizes are written. */

/** What is asked for at Microsoft before an account exists; after that the account's own `scope` is shown. */
export const REQUESTED_SCOPE = [
  "https://outlook.office.com/SMTP.Send",
  "offline_access",
  "openid",
  "profile",
  "email",
];

/** Scopes in plain words; the last three are one matter to a person. */
const RIGHTS = [
  {
    scopes: ["https://outlook.office.com/SMTP.Send", "SMTP.Send"],
    title: "Sende e-post som deg",
    text: "Faktura, tilbud og ordrebekreftelser går ut fra din egen adresse.",
  },
  {
    scopes: ["offline_access"],
    title: "Sende også når du ikke er pålogget",
    text: "Så slipper du å logge inn for hver e-post. Du kan trekke det tilbake når du vil.",
  },
  {
    scopes: ["openid", "profile", "email"],
    title: "Se navnet og e-postadressen din",
    text: "For å vite at det er riktig konto som blir koblet til.",
  },
];

/** The rights in *scope*, in plain words: [{scopes, title, text}]; an unknown one speaks for itself. */
export function rightsOf(scope) {
  const known = RIGHTS.map((right) => ({ ...right, scopes: right.scopes.filter((name) => scope.includes(name)) }));
  const named = new Set(RIGHTS.flatMap((right) => right.scopes));
  const unknown = scope.filter((name) => !named.has(name)).map((name) => ({ scopes: [name], title: name, text: "" }));
  return [...known.filter((right) => right.scopes.length > 0), ...unknown];
}

export const ACCOUNT_TYPE = { office365: "Microsoft Office 365" };

/** status → [word, tone]; the tone chooses the colour. */
export const ACCOUNT_STATUS = {
  pending: ["Ikke tilkoblet", "wait"],
  connected: ["Tilkoblet", "good"],
  action_required: ["Krever handling", "bad"],
};

export const MESSAGE_STATUS = {
  queued: ["I kø", "wait"],
  sending: ["Sendes", "wait"],
  held: ["Venter på kontoen", "wait"],
  sent: ["Sendt", "good"],
  failed: ["Ikke sendt", "bad"],
  uncertain: ["Uvisst", "bad"],
  cancelled: ["Avbrutt", "quiet"],
};

/** Statuses that change by themselves, so that the list should look again. */
export const MOVING = new Set(["queued", "sending", "held"]);

/** Who has to act: a line above what they do. */
export const WHO = {
  caller: "Dette må rettes i Quick3:",
  user: "Dette kan du ordne selv:",
  admin: "Dette må IT-ansvarlig hos dere ordne:",
  operator: "Dette må vi ordne:",
  nobody: "Dette går over av seg selv:",
};

export const CHECK_STATUS = { pass: "I orden", fail: "Feil", skip: "Ikke prøvd" };
export const CHECK_NAME = {
  identity: "Innlogget person",
  scope: "Rett til å sende",
  refresh_token: "Varig tilgang",
  starttls: "Kryptert forbindelse",
  auth: "Pålogging for sending",
  sender: "Avsenderadresse",
};

const moment = new Intl.DateTimeFormat("nb-NO", { dateStyle: "medium", timeStyle: "short" });

/** "23. nov. 2026, 14:05" from an RFC 3339 time; empty for none. */
export function time(text) {
  return text ? moment.format(new Date(text)) : "";
}

const decimal = new Intl.NumberFormat("nb-NO", { maximumFractionDigits: 1 });

/** "300 kB" from a number of bytes. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${decimal.format(bytes / 1_000_000)} MB`;
}

/** "250 2.0.0 OK ..." from a server's reply. */
export function reply({ code, enhanced, text }) {
  return [code, enhanced, text].filter(Boolean).join(" ");
}
