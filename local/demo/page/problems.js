/*
 * Shows what is wrong where it can be put right: each fault beside its field (errors[].pointer, a JSON pointer
 * into the request), everything else in a box that says what happened, who acts, and what they do.
 */

import { Problem } from "./api.js";
import { element } from "./elements.js";
import { WHO } from "./words.js";

/** A box for a problem of the API: an error's, an account's or a message's. *buttons* are put below. */
export function problemBox(problem, ...buttons) {
  return element(
    "div",
    { class: "notice bad", "data-code": problem.code },
    element("p", { class: "title" }, problem.title),
    problem.detail && element("p", {}, ...linked(problem.detail)),
    problem.action && element("p", { class: "who" }, WHO[problem.who] ?? problem.who),
    problem.action && element("p", { class: "action" }, ...linked(problem.action)),
    buttons.length > 0 && element("div", { class: "buttons" }, buttons),
  );
}

/** What stands in an account's way: the same, and the page for IT where IT has to settle it. */
export function obstacleBox(problem, ...buttons) {
  const box = problemBox(problem, ...buttons);
  if (problem.admin_url) box.insertBefore(forward(problem.admin_url), box.querySelector(":scope > .buttons"));
  return box;
}

/** A page to be sent on to whoever administers Microsoft 365; it needs no account in Quick3. */
function forward(address) {
  const select = (event) => event.currentTarget.select();
  const field = element("input", { type: "text", readonly: true, value: address, "aria-label": "Lenke til IT-ansvarlig", onfocus: select });
  const onclick = (event) => copied(field, event.currentTarget);
  const copy = element("button", { type: "button", "aria-live": "polite", onclick }, "Kopier lenken");
  return element(
    "div",
    { class: "forward" },
    element("p", {}, "Send denne lenken til IT-ansvarlig. Den viser hva som mangler, og virker i 14 dager uten innlogging."),
    element("div", { class: "together" }, field, copy),
    element("p", {}, element("a", { href: address, target: "_blank", rel: "noopener" }, "Er du selv IT-ansvarlig? Åpne siden")),
  );
}

async function copied(field, button) {
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Lenken er kopiert";
  } catch {
    field.select(); // the browser did not let us: the user can
  }
}

const ADDRESS = /https:\/\/[^\s<>"]+[^\s<>".,;:)]/;
/** `so` or a PowerShell line: Set-CASMailbox -Identity kari@firma.no -SmtpClientAuthenticationDisabled $false */
const COMMAND = /`[^`]+`|[A-Z][a-z]+-[A-Z]\w+(?: -[A-Z]\w+(?: (?:'[^']*'|[^\s–-]\S*))?)+/;

/** Text with its web addresses as links and its commands as code to copy. */
function linked(text) {
  return text.split(new RegExp(`(${ADDRESS.source}|${COMMAND.source})`)).map((part) => {
    if (part.startsWith("https://")) return element("a", { href: part, target: "_blank", rel: "noopener" }, shortened(part));
    if (COMMAND.test(part)) return element("code", {}, part.replaceAll("`", ""));
    return part;
  });
}

/** A long address is shown as far as a person reads it; the link leads to all of it. */
function shortened(address) {
  const { host, pathname } = new URL(address);
  return address.length > 80 ? `${host}${pathname}` : address;
}

/** Show *error* in *form*; the first field at fault, or the box, takes the focus. */
export function showInForm(form, error) {
  clearForm(form);
  const problem = asProblem(error);
  const elsewhere = [];
  const fields = [];
  for (const fault of problem.faults) {
    const field = fieldFor(form, fault.pointer);
    if (!field) elsewhere.push(fault);
    else if (fields.includes(field)) noteOf(field).append(` ${fault.detail}`);
    else {
      fields.push(field);
      mark(field, fault.detail);
    }
  }
  if (fields.length > 0 && elsewhere.length === 0) {
    fields[0].focus();
    return;
  }
  const box = problemBox(problem);
  if (elsewhere.length > 0) {
    box.append(element("ul", {}, elsewhere.map((fault) => element("li", {}, `${fault.pointer}: ${fault.detail}`))));
  }
  showIn(form.querySelector("[data-problem]"), box);
}

/** Show *error* in the empty element *place*. */
export function showError(place, error) {
  showIn(place, problemBox(asProblem(error)));
}

function showIn(place, box) {
  box.setAttribute("role", "alert");
  box.tabIndex = -1;
  place.replaceChildren(box);
  box.focus();
}

/** Take away what showInForm showed. */
export function clearForm(form) {
  form.querySelector("[data-problem]").replaceChildren();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    const note = noteOf(field);
    const others = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== note?.id);
    field.removeAttribute("aria-invalid");
    if (others.length > 0) field.setAttribute("aria-describedby", others.join(" "));
    else field.removeAttribute("aria-describedby");
    note?.remove();
  }
}

/** The field whose data-pointer is *pointer* or the nearest above it: "/to/0" belongs to "/to". */
function fieldFor(form, pointer) {
  let wanted = pointer;
  while (wanted) {
    const field = form.querySelector(`[data-pointer="${CSS.escape(wanted)}"]`);
    if (field) return field;
    wanted = wanted.slice(0, wanted.lastIndexOf("/"));
  }
  return null;
}

function mark(field, detail) {
  const note = element("p", { class: "fault", id: `${field.id}-fault` }, detail);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", [field.getAttribute("aria-describedby"), note.id].filter(Boolean).join(" "));
  field.after(note);
}

function noteOf(field) {
  return document.getElementById(`${field.id}-fault`);
}

/** A bug of ours is shown too, not swallowed. */
function asProblem(error) {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem({ code: "page", title: "Noe gikk galt på siden", detail: String(error), who: "caller", action: "Last siden på nytt." });
}
