/* Builds elements from values. Values become text nodes, so nothing that was typed can become markup. */

/**
 * element("p", {class: "hint"}, "text", otherElement): false, null and undefined are left out;
 * attributes that start with "on" are event listeners.
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Run *work* with *button* disabled and marked busy, so that one press is one call. */
export async function busy(button, work) {
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
}

/** Ask before something that cannot be undone. */
export async function confirmed({ title, text, yes }) {
  const dialog = document.getElementById("confirm-dialog");
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

/**
 * Run *work* now and then again; it answers with the milliseconds until the next time, or null to end.
 * Answers with a function that stops it.
 */
export function repeat(work) {
  let timer = null;
  let stopped = false;
  async function turn() {
    const pause = await work();
    if (!stopped && pause !== null) timer = setTimeout(turn, pause);
  }
  turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

const prints = new WeakMap();

/** Links that differ each time they are asked for: a new one is no reason to build anything anew. */
const PASSING = new Set(["connect_url", "connect_expires_at", "admin_url"]);

/**
 * Make *list* show *items* (each with an id), in order. Only what changed is built anew, so that focus, selection
 * and what was unfolded survive a look at the server every other second. Answers with the items that changed.
 */
export function reconcile(list, items, render) {
  const before = new Map([...list.children].map((child) => [child.dataset.id, child]));
  const changed = [];
  items.forEach((item, index) => {
    const print = JSON.stringify(item, (name, value) => (PASSING.has(name) ? null : value));
    let child = before.get(item.id);
    if (!child || prints.get(child) !== print) {
      const made = render(item);
      made.dataset.id = item.id;
      prints.set(made, print);
      if (child?.querySelector("details[open]")) made.querySelector("details")?.setAttribute("open", "");
      child?.replaceWith(made);
      if (child) changed.push(item);
      child = made;
    }
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
  while (list.children.length > items.length) list.lastElementChild.remove();
  return changed;
}

/** A coloured word for a status: [word, tone]. */
export function badge([word, tone]) {
  return element("span", { class: `badge ${tone}` }, word);
}

/** Say *text* to a screen reader, without moving anything. */
export function announce(text) {
  document.getElementById("announcements").textContent = text;
}
