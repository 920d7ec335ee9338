// What the JavaScript programs share: vectors out, judgements out.
import { readFileSync } from "node:fs";

export const AT = "2026-01-15T10:30:05+00:00";
export const SECONDS = 1768473005; // AT in unix seconds

export function vector(name, { by, source, headers, body, genuine = true, at = AT, keys, ...more }) {
  const request = { method: "POST", path: "/webhooks/tested", headers, body, ...more };
  return { name, made_by: by, source, ...(keys ? { keys } : {}), at, request, genuine };
}

// Prints vectors, or judges each of the requests on standard input (`source`, `at`, `request`).
export async function main(sign, check) {
  if (process.argv[2] !== "check") {
    process.stdout.write(JSON.stringify(await sign()));
  } else if (!check) {
    process.exitCode = 3;
  } else {
    const answers = [];
    for (const each of JSON.parse(readFileSync(0, "utf8"))) answers.push(await check(each));
    process.stdout.write(JSON.stringify(answers));
  }
}
