// Pipedrive's own client works with our simulated Pipedrive: URL and token in, nothing out.

import { strict as assert } from "node:assert";
import * as v1 from "pipedrive/v1";
import * as v2 from "pipedrive/v2";

const KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334";
const INVALID = "ERR_SCHEMA_VALIDATION_FAILED";
const [url, token] = process.argv.slice(2);
const config = new v2.Configuration({ apiKey: token, basePath: `${url}/api/v2` });
const deals = new v2.DealsApi(config);
const search = new v2.ItemSearchApi(config);
const notes = new v1.NotesApi(new v1.Configuration({ apiKey: token, basePath: `${url}/v1` }));

async function refused(call, code) {
  // The client hands on the body of a refusal and hides its status.
  await assert.rejects(call, (error) => {
    assert.deepEqual({ success: error.success, code: error.code }, { success: false, code });
    return true;
  });
}

const found = await search.searchItemByField({
  entity_type: "deal",
  field: KEY,
  match: "exact",
  term: "A-1",
});
assert.equal(found.success, true);
assert.equal(found.data.length, 1);
const id = found.data[0].id;

const one = await deals.getDeal({ id });
assert.equal(one.data.custom_fields[KEY], "A-1");
assert.equal(one.data.status, "open");

const changed = await deals.updateDeal({
  id,
  UpdateDealRequest: { stage_id: 2, status: "open", custom_fields: { [KEY]: "A-1" } },
});
assert.equal(changed.data.stage_id, 2);
const won = await deals.updateDeal({ id, UpdateDealRequest: { status: "won" } });
assert.equal(won.data.status, "won");

const made = await deals.addDeal({
  AddDealRequest: { title: "New", custom_fields: { [KEY]: "N-1" } },
});
assert.equal(typeof made.data.id, "number");
const two = await deals.getDeals({ ids: `${id},${made.data.id}` });
assert.equal(two.data.length, 2);

const first = await deals.getDeals({
  updated_since: "2026-01-01T00:00:00Z",
  sort_by: "update_time",
  sort_direction: "asc",
  limit: 2,
});
assert.equal(first.data.length, 2);
const next = await deals.getDeals({
  sort_by: "update_time",
  limit: 2,
  cursor: first.additional_data.next_cursor,
});
assert.equal(next.data.length, 1);
assert.equal(next.additional_data.next_cursor, null);

const note = await notes.addNote({ AddNoteRequest: { content: "Paid.", deal_id: id } });
assert.equal(note.success, true);

await refused(deals.updateDeal({ id, UpdateDealRequest: { stage_id: 999 } }), INVALID);
await refused(deals.updateDeal({ id, UpdateDealRequest: { lost_reason: "why" } }), INVALID);
await refused(deals.getDeal({ id: 999999 }), "ERR_NOT_FOUND");
const stranger = new v2.DealsApi(
  new v2.Configuration({ apiKey: "wrong", basePath: `${url}/api/v2` }),
);
await refused(stranger.getDeal({ id }), "ERR_UNAUTHORIZED");
