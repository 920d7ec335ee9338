// EasyPost's own validator, which only verifies: what it takes and refuses of signed requests.
import { createHmac } from "node:crypto";
import EasyPost from "@easypost/api";
import { main, vector } from "./oracle.mjs";

const by = "@easypost/api 8.9.0 (npm), Utils.validateWebhook";
const body = JSON.stringify({ id: "evt_1", description: "tracker.updated", result: { status: "delivered" } });
const client = new EasyPost("EZTEST");

function takes(text, headers, secret) {
  try {
    client.Utils.validateWebhook(Buffer.from(text), headers, secret);
    return true;
  } catch {
    return false;
  }
}

function signed(name, key, secret) {
  const digest = createHmac("sha256", key).update(body).digest("hex");
  const headers = { "X-Hmac-Signature": `hmac-sha256-hex=${digest}` };
  return vector(name, { by, source: { secrets: [secret] }, headers, body, genuine: takes(body, headers, secret) });
}

await main(
  () => [signed("plain secret", "secret", "secret"), signed("another secret", "other", "secret")],
  ({ source, request }) =>
    takes(request.body, { "X-Hmac-Signature": request.headers["x-hmac-signature"] }, source.secrets[0]),
);
