// A community client of CloudPayments: what it signs, takes and refuses.
import cloudpayments from "cloudpayments";
import utils from "cloudpayments/dist/utils.js";
import { main, vector } from "./oracle.mjs";

const by = "cloudpayments 6.0.1 (npm, community), signString and NotificationHandlers.handlePayRequest";
const secret = "test_secret_123";
const form =
  "TransactionId=2374592&Amount=150.00&Currency=RUB&DateTime=2026-01-15+10%3A30%3A04&CardFirstSix=411111" +
  "&CardLastFour=1111&CardType=Visa&CardExpDate=12%2F28&TestMode=1&Status=Completed&InvoiceId=A-1001" +
  "&AccountId=user%40example.com&OperationType=Payment";
const json = JSON.stringify({ TransactionId: 2374592, Amount: 150, Currency: "RUB", InvoiceId: "A-1001", Status: "Completed" });

async function takes(body, signature, key) {
  const client = new cloudpayments.ClientService({ publicId: "pk_test", privateKey: key });
  try {
    await client.getNotificationHandlers().handlePayRequest({ payload: body, signature });
    return true;
  } catch {
    return false;
  }
}

async function signed(name, body, key) {
  const signature = utils.signString(key, body);
  const headers = { "Content-HMAC": signature };
  const genuine = await takes(body, signature, secret);
  return vector(name, { by, source: { secrets: [secret] }, headers, body, genuine, path: "/webhooks/tested/pay" });
}

await main(
  async () => [
    await signed("a form", form, secret),
    await signed("JSON", json, secret),
    await signed("another key", form, "other"),
  ],
  ({ source, request }) => takes(request.body, request.headers["content-hmac"], source.secrets[0]),
);
