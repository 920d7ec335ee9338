// Wix's own SDK, which only verifies: what it takes and refuses of tokens that are the whole body.
import { generateKeyPairSync } from "node:crypto";
import { AppStrategy, createClient } from "@wix/sdk";
import { SignJWT, importPKCS8 } from "jose";
import { SECONDS, main, vector } from "./oracle.mjs";

const by = "@wix/sdk 1.21.16 (npm), webhooks.process (signed by jose 5.10.0)";
const [mine, other] = [1, 2].map(() =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }),
);
const order = { id: "9a0b", number: "10001", paymentStatus: "PAID" };
const event = {
  id: "b6f8",
  entityFqdn: "wix.ecom.v1.order",
  slug: "payment_status_updated",
  entityId: "9a0b",
  eventTime: "2026-01-15T10:30:04Z",
  actionEvent: { body: { order } },
};

async function takes(token, publicKey) {
  const client = createClient({ auth: AppStrategy({ appId: "app", publicKey }), modules: {} });
  try {
    await client.webhooks.process(token);
    return true;
  } catch {
    return false;
  }
}

async function signed(name, key, claims = {}) {
  const data = {
    eventType: "wix.ecom.v1.order_payment_status_updated",
    instanceId: "site",
    identity: JSON.stringify({ identityType: "WIX_USER" }),
    data: JSON.stringify(event),
  };
  const token = await new SignJWT({ data: JSON.stringify(data), ...claims })
    .setProtectedHeader({ alg: "RS256", kid: "1" })
    .setIssuedAt(SECONDS)
    .sign(await importPKCS8(key, "RS256"));
  const source = { secrets: [mine.publicKey] };
  const headers = { "Content-Type": "text/plain" };
  return vector(name, { by, source, headers, body: token, genuine: await takes(token, mine.publicKey) });
}

await main(
  async () => [
    await signed("right", mine.privateKey),
    await signed("with an expiry", mine.privateKey, { exp: 4102444800, iss: "wix.com" }),
    await signed("another key", other.privateKey),
  ],
  ({ source, request }) => takes(request.body, source.secrets[0]),
);
