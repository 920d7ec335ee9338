// The vendor's SDK of Alipay, which only verifies notifications: what it takes and refuses.
import { createSign, generateKeyPairSync } from "node:crypto";
import { AlipaySdk } from "alipay-sdk";
import { main, vector } from "./oracle.mjs";

const by = "alipay-sdk 4.14.0 (npm), AlipaySdk.checkNotifySignV2";
const paid = {
  gmt_create: "2026-01-15 10:29:31",
  charset: "utf-8",
  notify_time: "2026-01-15 10:30:05",
  sign_type: "RSA2",
  notify_id: "2026011500222103005",
  trade_status: "TRADE_SUCCESS",
  out_trade_no: "A-1001",
  trade_no: "2026011522001",
  total_amount: "15.00",
  app_id: "2021000000",
  seller_id: "2088000000",
  subject: "茶 & 20% off",
  body: "",
};

function newKey() {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

const own = newKey().privateKey;

function takes(fields, publicKey) {
  const sdk = new AlipaySdk({ appId: "2021000000", privateKey: own, keyType: "PKCS8", alipayPublicKey: publicKey });
  return sdk.checkNotifySignV2(fields);
}

function signed(name, fields, privateKey, publicKey, withType = false) {
  const names = Object.keys(fields).sort().filter((each) => withType || each !== "sign_type");
  const text = names.map((each) => `${each}=${fields[each]}`).join("&");
  const sign = createSign("RSA-SHA256").update(text, "utf8").sign(privateKey, "base64");
  const whole = { ...fields, sign };
  return vector(name, {
    by,
    source: { secrets: [publicKey] },
    headers: { "Content-Type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new URLSearchParams(whole).toString(),
    genuine: takes(whole, publicKey),
  });
}

await main(
  () => {
    const [key, stranger] = [newKey(), newKey()];
    return [
      signed("paid", paid, key.privateKey, key.publicKey),
      signed("with sign_type", paid, key.privateKey, key.publicKey, true),
      signed("another key", paid, stranger.privateKey, key.publicKey),
    ];
  },
  ({ source, request }) => takes(Object.fromEntries(new URLSearchParams(request.body)), source.secrets[0]),
);
