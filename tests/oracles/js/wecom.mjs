// WeCom's own library seals what we open, and opens what our simulated sender seals.
import { decrypt, encrypt, getSignature } from "@wecom/crypto";
import { main, SECONDS, vector } from "./oracle.mjs";

const by = "@wecom/crypto 1.0.1 (npm), encrypt and getSignature";
const [token, key, corp] = ["QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"];
const event =
  "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName><CreateTime>1768473005</CreateTime>" +
  "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[sys_approval_change]]></Event><ApprovalInfo>" +
  "<SpNo>202601150001</SpNo><SpStatus>2</SpStatus><StatuChangeEvent>2</StatuChangeEvent></ApprovalInfo></xml>";

function sealed(name, { signer = token, genuine = true } = {}) {
  const text = encrypt(key, event, corp, Buffer.from("0123456789abcdef"));
  const signature = getSignature(signer, SECONDS, "nonce-1", text);
  return vector(name, {
    by,
    source: { secrets: [`${token}:${key}`], options: { receiver: corp } },
    headers: { "Content-Type": "text/xml" },
    query: `msg_signature=${signature}&timestamp=${SECONDS}&nonce=nonce-1`,
    body: `<xml><Encrypt><![CDATA[${text}]]></Encrypt></xml>`,
    genuine,
  });
}

function takes({ source, request }) {
  const secret = source.secrets[0];
  const divided = secret.lastIndexOf(":");
  const sent = new URLSearchParams(request.query);
  const text = /<Encrypt>([^<]*)<\/Encrypt>/.exec(request.body)[1];
  const right = getSignature(secret.slice(0, divided), sent.get("timestamp"), sent.get("nonce"), text);
  return (
    right === sent.get("msg_signature") &&
    decrypt(secret.slice(divided + 1), text).id === source.options.receiver
  );
}

await main(() => [sealed("approved"), sealed("another token", { signer: "other", genuine: false })], takes);
