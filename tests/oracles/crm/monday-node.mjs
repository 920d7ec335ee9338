// monday's own JavaScript client works with our simulated monday: URL and token in, nothing out.

import { strict as assert } from "node:assert";
import monday from "@mondaydotcomorg/api";

const { ApiClient, ClientError } = monday;
const BOARD = "4150868001";
const [url, token] = process.argv.slice(2);
const client = new ApiClient({ token, apiVersion: "2026-01", endpoint: `${url}/v2` });

const found = await client.request(
  `query($board: ID!, $where: [ItemsPageByColumnValuesQuery!]) {
    items_page_by_column_values(board_id: $board, columns: $where, limit: 10) {
      cursor items { id name column_values(ids: ["status"]) { id text } }
    }
  }`,
  { board: BOARD, where: [{ column_id: "order_no", column_values: ["A-1", "A-2"] }] },
);
const items = found.items_page_by_column_values.items;
assert.equal(items.length, 2);
assert.equal(items[0].column_values[0].text, "Working on it");

const WRITE = `mutation($board: ID!, $one: ID!, $two: ID!, $first: JSON!, $second: JSON!) {
  a: change_multiple_column_values(board_id: $board, item_id: $one, column_values: $first) { id }
  b: change_multiple_column_values(board_id: $board, item_id: $two, column_values: $second) { id }
}`;
const rows = {
  board: BOARD,
  one: items[0].id,
  two: items[1].id,
  first: JSON.stringify({ status: { label: "Paid" }, total: "49.90" }),
  second: JSON.stringify({ status: { label: "no such" } }),
};
await assert.rejects(client.request(WRITE, rows), (error) => {
  assert.ok(error instanceof ClientError, error);
  assert.deepEqual(error.response.data.a, { id: items[0].id });
  assert.equal(error.response.data.b, null);
  assert.equal(error.response.errors.length, 1);
  assert.deepEqual(error.response.errors[0].path, ["b"]);
  assert.equal(error.response.errors[0].extensions.code, "ColumnValueException");
  return true;
});

const stranger = new ApiClient({ token: "wrong", endpoint: `${url}/v2` });
await assert.rejects(stranger.request("{ boards(ids: [1]) { id } }"), (error) => {
  assert.equal(error.response.status, 401, error);
  return true;
});
