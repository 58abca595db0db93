// Nodemailer's pool with OAuth2: `single` and `cold` await each message, `burst` queues them all,
// `mailboxes` runs many accounts that fetch their own tokens.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.BENCH_MODULES);
const nodemailer = require("nodemailer");

const job = JSON.parse(process.argv[2]);
const kind = process.argv[3];
const user = "kari@firma.test";
const to = "ola@kunde.test";
const token = "bench-token.".repeat(150);

const head =
  "From: Kari <kari@firma.test>\r\nTo: ola@kunde.test\r\nSubject: Faktura\r\n" +
  "Message-ID: <1@firma.test>\r\nMIME-Version: 1.0\r\n" +
  "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
const line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n";
const content = Buffer.from(head + line.repeat(Math.floor((job.size - head.length) / line.length)));

const transport = (auth, ca) =>
  nodemailer.createTransport({
    pool: true,
    maxConnections: 1,
    maxMessages: Infinity,
    host: "127.0.0.1",
    port: job.port,
    secure: false,
    requireTLS: true,
    tls: { ca },
    auth: { type: "OAuth2", user, ...auth },
  });
const send = (transporter) =>
  transporter.sendMail({ envelope: { from: user, to: [to] }, raw: content });

const mostMemory = () => {
  // what the parent held does not count, so not resourceUsage() where there is better
  if (!existsSync("/proc/self/status")) return process.resourceUsage().maxRSS * 1024;
  return /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1] * 1024;
};

let wall = process.hrtime.bigint();
let cpu = process.cpuUsage();
const report = (messages) => {
  const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
  const used = process.cpuUsage(cpu);
  const peak = mostMemory();
  console.log(
    JSON.stringify({ messages, seconds, cpu: (used.user + used.system) / 1e6, peak }),
  );
};
const restart = () => {
  wall = process.hrtime.bigint();
  cpu = process.cpuUsage();
};

const ca = readFileSync(job.ca);
if (kind === "mailboxes") {
  let next = 0;
  const worker = async () => {
    while (next < job.mailboxes) {
      const number = next++;
      const transporter = transport(
        {
          clientId: "bench",
          clientSecret: "bench",
          refreshToken: `refresh-${number}`,
          accessUrl: `https://127.0.0.1:${job.tokens}/organizations/oauth2/v2.0/token`,
        },
        ca,
      );
      for (let i = 0; i < job.messages; i++) await send(transporter);
      transporter.close();
    }
  };
  await Promise.all(Array.from({ length: job.at_once }, worker));
  report(job.mailboxes * job.messages);
} else {
  const transporter = transport({ accessToken: token }, ca);
  for (let i = 0; i < job.warm_up; i++) await send(transporter);
  if (kind !== "cold") restart();
  if (kind === "burst") {
    await Promise.all(Array.from({ length: job.messages }, () => send(transporter)));
  } else {
    for (let i = 0; i < job.messages; i++) await send(transporter);
  }
  report(job.messages);
  transporter.close();
}
process.exit(0);
