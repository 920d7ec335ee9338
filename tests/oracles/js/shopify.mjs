// Shopify's own library signs, and judges what our simulated sender signs.
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import { createHmac } from "node:crypto";
import { main, vector } from "./oracle.mjs";

const by = "@shopify/shopify-api 13.1.0 (npm), webhooks.validate";
const body = JSON.stringify({ id: 820982911946154508, order_number: 1001, financial_status: "paid" });
const names = {
  "X-Shopify-Topic": "orders/paid",
  "X-Shopify-Shop-Domain": "sandbox.myshopify.com",
  "X-Shopify-API-Version": "2026-07",
  "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
  "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
};

async function takes(rawBody, headers, apiSecretKey) {
  const shopify = shopifyApi({
    apiKey: "key",
    apiSecretKey,
    apiVersion: Object.values(ApiVersion).at(-1),
    hostName: "hooks.example.com",
    isEmbeddedApp: false,
    logger: { level: LogSeverity.Error, log: () => {} },
  });
  const rawRequest = { method: "POST", url: "/webhooks/tested", headers };
  const said = await shopify.webhooks.validate({ rawBody, rawRequest, rawResponse: {} });
  return said.valid;
}

async function signed(name, key) {
  const proof = createHmac("sha256", key).update(body).digest("base64");
  const headers = { ...names, "X-Shopify-Hmac-Sha256": proof };
  const genuine = await takes(body, headers, "shpss_secret");
  return vector(name, { by, source: { secrets: ["shpss_secret"] }, headers, body, genuine });
}

await main(
  async () => [await signed("right", "shpss_secret"), await signed("another secret", "other")],
  ({ source, request }) => takes(request.body, request.headers, source.secrets[0]),
);
