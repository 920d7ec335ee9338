// Saleor's own SDK, which only verifies: what it takes and refuses of detached signatures.
import { generateKeyPairSync } from "node:crypto";
import { verifySignatureWithJwks } from "@saleor/app-sdk/auth";
import { FlattenedSign, exportJWK } from "jose";
import { main, vector } from "./oracle.mjs";

const by = "@saleor/app-sdk 1.15.0 (npm), verifySignatureWithJwks (signed by jose 5.10.0)";
const url = "https://demo.saleor.cloud/.well-known/jwks.json";
const source = { options: { domain: "demo.saleor.cloud" } };
const body = JSON.stringify({ order: { id: "T3JkZXI6MQ==", number: "1001", isPaid: true, chargeStatus: "FULL" } });
const names = { "Saleor-Event": "order_fully_paid", "Saleor-Api-Url": "https://demo.saleor.cloud/graphql/" };
const [mine, other] = [1, 2].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(mine.publicKey)), kid: "1", use: "sig" }] });

async function takes(text, signature, keys) {
  try {
    await verifySignatureWithJwks(keys, signature, text);
    return true;
  } catch {
    return false;
  }
}

async function signed(name, key, text = body) {
  const said = await new FlattenedSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: "RS256", b64: false, crit: ["b64"], kid: "1", typ: "JWT" })
    .sign(key);
  const proof = `${said.protected}..${said.signature}`;
  const headers = { ...names, "Saleor-Signature": proof };
  return vector(name, { by, source, keys: { [url]: jwks }, headers, body: text, genuine: await takes(text, proof, jwks) });
}

await main(
  async () => [
    await signed("right", mine.privateKey),
    await signed("letters beyond ASCII", mine.privateKey, body.replace("1001", "Ü-1001")),
    await signed("another key", other.privateKey),
  ],
  ({ keys, request }) => takes(request.body, request.headers["saleor-signature"], Object.values(keys)[0]),
);
