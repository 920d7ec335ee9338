// Amazon's own validator, which only verifies: what it takes and refuses; the certificate is ours.
import { execFileSync } from "node:child_process";
import { createSign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { main, vector } from "./oracle.mjs";

const require = createRequire(import.meta.url);
const https = require("https");

const by = "sns-validator 0.3.5 (npm), MessageValidator.validate";
const url = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-0123.pem";
const topic = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const source = { options: { topics: [topic] }, subject: { ref: "order" }, status: "status", statuses: { paid: "payment.paid" } };
const fields = {
  Notification: ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
  SubscriptionConfirmation: ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
};
const note = {
  Type: "Notification",
  MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  TopicArn: topic,
  Subject: "My First Message",
  Message: JSON.stringify({ order: "A-1001", status: "paid", note: "ünïcode" }),
  Timestamp: "2026-01-15T10:30:00.000Z",
  UnsubscribeURL: "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
};
const { Subject, ...plain } = note;
const confirmation = {
  ...plain,
  Type: "SubscriptionConfirmation",
  Token: "2336412f37",
  SubscribeURL: "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription",
};

// A certificate is valid from the moment it is made, so the vectors are of today.
function issued() {
  const home = mkdtempSync(join(tmpdir(), "sns-"));
  const [key, certificate] = [join(home, "key.pem"), join(home, "certificate.pem")];
  const name = ["-subj", "/CN=sns.amazonaws.com", "-days", "36500"];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, ...name], { stdio: "ignore" });
  const made = { key: readFileSync(key, "utf8"), certificate: readFileSync(certificate, "utf8") };
  rmSync(home, { recursive: true });
  return made;
}

function takes(body, certificates) {
  https.get = (asked, answer) => {
    answer(Object.assign(Readable.from([certificates[asked] ?? ""]), { statusCode: 200 }));
    return { on: () => {} };
  };
  // It remembers certificates by address; each judgement here has its own.
  delete require.cache[require.resolve("sns-validator")];
  const MessageValidator = require("sns-validator");
  return new Promise((done) => new MessageValidator().validate(body, (error) => done(!error)));
}

async function signed(name, said, version, { key, certificate }, signer = key) {
  const text = fields[said.Type].filter((each) => each in said).map((each) => `${each}\n${said[each]}\n`);
  const proof = createSign(version === "1" ? "sha1" : "sha256").update(text.join(""), "utf8").sign(signer, "base64");
  const body = JSON.stringify({ ...said, SignatureVersion: version, Signature: proof, SigningCertURL: url });
  const keys = { [url]: certificate };
  const at = new Date(Date.now() + 60_000).toISOString();
  const headers = { "x-amz-sns-message-type": said.Type, "Content-Type": "text/plain; charset=UTF-8" };
  return vector(name, { by, source, keys, at, headers, body, genuine: await takes(body, keys) });
}

async function sign() {
  const [mine, other] = [issued(), issued()];
  return [
    await signed("version 2", note, "2", mine),
    await signed("version 1", note, "1", mine),
    await signed("without a subject", plain, "2", mine),
    await signed("confirmation", confirmation, "2", mine),
    await signed("another key", note, "2", mine, other.key),
  ];
}

await main(sign, ({ keys, request }) => takes(request.body, keys));
