/* Write a message and hand it over. When the API has answered 202 it is safe: the form can be forgotten. */

import { allAccounts, sendMessage } from "./api.js";
import { busy, element } from "./elements.js";
import { clearForm, showError, showInForm } from "./problems.js";

const form = document.getElementById("compose");
const empty = document.getElementById("compose-empty");
const fields = form.elements;

/** One key per message as written: the same press twice is one message, a changed message is another. */
let key = crypto.randomUUID();
form.addEventListener("input", () => {
  key = crypto.randomUUID();
});

/** The form stays hidden until it is known which accounts there are to send from. */
export const composeView = {
  async show() {
    try {
      const accounts = (await allAccounts()).filter((account) => account.status !== "pending");
      const chosen = fields.account.value;
      fields.account.replaceChildren(...accounts.map(option));
      if (accounts.some((account) => account.id === chosen)) fields.account.value = chosen;
      form.hidden = accounts.length === 0;
      empty.hidden = accounts.length > 0;
    } catch (error) {
      form.hidden = false;
      showError(form.querySelector("[data-problem]"), error);
    }
  },
  hide() {},
};

function option(account) {
  const name = account.display_name ? `${account.display_name} <${account.address}>` : account.address;
  return element("option", { value: account.id }, name);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearForm(form);
  try {
    await busy(event.submitter, async () => {
      const account = fields.account.value;
      await sendMessage(account, await written(), key);
      form.reset();
      fields.account.value = account;
      key = crypto.randomUUID();
      location.hash = `#/sendt/${account}`;
    });
  } catch (error) {
    showInForm(form, error);
  }
});

/** The form as the API wants it; members that were left empty are left out. */
async function written() {
  const message = {
    to: addresses(fields.to.value),
    cc: addresses(fields.cc.value),
    bcc: addresses(fields.bcc.value),
    subject: fields.subject.value,
    text: fields.text.value,
    attachments: await Promise.all([...fields.files.files].map(attachment)),
  };
  if (fields.send_at.value) message.send_at = new Date(fields.send_at.value).toISOString();
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value.length > 0));
}

/** Split at commas and semicolons, but not inside "Ås, Ola" <ola@kunde.no>. */
export function addresses(text) {
  const parts = text.match(/(?:"(?:\\.|[^"\\])*"|[^,;"]|")+/g) ?? [];
  return parts.map((part) => part.trim()).filter(Boolean);
}

function attachment(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onerror = () => reject(reader.error);
    reader.onload = () =>
      resolve({
        filename: file.name,
        content_type: file.type || "application/octet-stream",
        content: reader.result.slice(reader.result.indexOf(",") + 1),
      });
    reader.readAsDataURL(file);
  });
}
