// eBay's own SDK, which only verifies: what it takes and refuses; its call for the key is answered here.
import { createSign, generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { main, vector } from "./oracle.mjs";

const require = createRequire(import.meta.url);
const client = require("event-notification-nodejs-sdk/lib/client");
const validator = require("event-notification-nodejs-sdk/lib/validator");

const by = "event-notification-nodejs-sdk 1.0.3 (npm), validateSignature";
const address = "https://api.ebay.com/commerce/notification/v1/public_key/";
const kid = "0f6c1f5e-7d7b-4621-a0f1-96ccb428af49";
const body = JSON.stringify({
  metadata: { topic: "MARKETPLACE_ACCOUNT_DELETION", schemaVersion: "1.0", deprecated: false },
  notification: { notificationId: "49feeaeb", eventDate: "2026-01-15T10:30:00.000Z", publishAttemptCount: 1, data: { username: "ünïcode" } },
});
const [mine, other] = [1, 2].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
const pem = mine.publicKey.export({ type: "spki", format: "pem" }).replaceAll("\n", "");
const keys = { [address + kid]: JSON.stringify({ key: pem, algorithm: "ECDSA", digest: "SHA1" }) };

async function takes(text, header, known) {
  client.getPublicKey = async (name) => JSON.parse(known[address + name]);
  try {
    return await validator.validateSignature(JSON.parse(text), header, { environment: "PRODUCTION" });
  } catch {
    return false;
  }
}

function sealed(key) {
  const signature = createSign("sha1").update(body).sign(key, "base64");
  return Buffer.from(JSON.stringify({ alg: "ecdsa", kid, signature, digest: "SHA1" })).toString("base64");
}

async function signed(name, key) {
  const header = sealed(key);
  const genuine = await takes(body, header, keys);
  return vector(name, { by, source: { token: "app" }, keys, headers: { "x-ebay-signature": header }, body, genuine });
}

await main(async () => [await signed("right", mine.privateKey), await signed("another key", other.privateKey)], ({ keys: known, request }) =>
  takes(request.body, request.headers["x-ebay-signature"], known),
);
