// An independent library that knows WooCommerce's signature: it only verifies.
import { createHmac } from "node:crypto";
import { WebhookVerificationService } from "@hookflo/tern";
import { main, vector } from "./oracle.mjs";

const by = "@hookflo/tern 4.1.0 (npm), WebhookVerificationService.verify";
const body = JSON.stringify({ id: 727, number: "727", status: "processing", total: "29.35", refunds: [] });
const names = { "X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-ID": "7", "Content-Type": "application/json" };

async function takes(text, headers, secret) {
  const request = new Request("https://hooks.example.com/", { method: "POST", body: text, headers });
  return (await WebhookVerificationService.verify(request, { platform: "woocommerce", secret })).isValid;
}

async function signed(name, key) {
  const headers = { ...names, "X-WC-Webhook-Signature": createHmac("sha256", key).update(body).digest("base64") };
  const genuine = await takes(body, headers, "woo secret");
  return vector(name, { by, source: { secrets: ["woo secret"] }, headers, body, genuine });
}

await main(
  async () => [await signed("right", "woo secret"), await signed("another secret", "other")],
  ({ source, request }) => takes(request.body, request.headers, source.secrets[0]),
);
