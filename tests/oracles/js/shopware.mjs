// Shopware's own signer signs, and judges what our simulated sender signs.
import { AppServer, InMemoryShopRepository } from "@shopware-ag/app-server-sdk";
import { main, vector } from "./oracle.mjs";

const by = "@shopware-ag/app-server-sdk 2.0.3 (npm), AppServer.signer.sign";
const { signer } = new AppServer({ appName: "orderhook", appSecret: "app", authorizeCallbackUrl: "" }, new InMemoryShopRepository());
const secret = "shop-secret-of-at-least-sixty-four-letters-0123456789-0123456789";
const body = JSON.stringify({
  data: { payload: { order: { orderNumber: "10001" } }, event: "state_enter.order_transaction.state.paid" },
  source: { url: "https://shop.example", shopId: "dgrH7nLU6tlE", eventId: "018f3a2b7b04ebe416db4ebc93de4d79" },
  timestamp: 1700000000,
});

async function signed(name, key, text = body) {
  const headers = { "shopware-shop-signature": await signer.sign(text, key) };
  return vector(name, { by, source: { secrets: [secret] }, headers, body: text, genuine: key === secret });
}

await main(
  async () => [
    await signed("right", secret),
    await signed("letters beyond ASCII", secret, body.replace("10001", "Ü-10001")),
    await signed("another secret", "other"),
  ],
  ({ source, request }) =>
    signer.verify(request.headers["shopware-shop-signature"], request.body, source.secrets[0]),
);
