// Runs the story of the *.sql files in Node: host.mjs LIBRARY FOLDER. Leaves phone.db and laptop.db.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";

const [library, folder] = process.argv.slice(2);
const sql = (name) => readFileSync(join(import.meta.dirname, name), "utf8");

function open(path, { readOnly = false, extension = true } = {}) {
  const db = new DatabaseSync(path, { readOnly, allowExtension: extension });
  if (extension) {
    db.loadExtension(library);
    db.enableLoadExtension(false);
  }
  return db;
}

const value = (db, text, ...args) => Object.values(db.prepare(text).get(...args))[0];
const digest = (db) => value(db, "SELECT crdt_digest('tasks')");

function send(source, target) {
  return JSON.parse(value(target, "SELECT crdt_merge(?)", value(source, "SELECT crdt_changes_since(NULL)")));
}

function check(phone, laptop, expected) {
  assert.equal(value(phone, sql("rows.sql")), sql(expected).trim());
  assert.equal(value(laptop, sql("rows.sql")), sql(expected).trim());
  assert.equal(digest(phone), digest(laptop));
}

// Both start alike, part, and meet again.
async function story(phone, laptop) {
  for (const db of [phone, laptop]) {
    db.exec("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL;" + sql("schema.sql"));
  }
  phone.exec(sql("seed.sql"));
  send(phone, laptop);
  phone.exec(sql("phone.sql"));
  await setTimeout(20);
  laptop.exec(sql("laptop.sql"));
  send(phone, laptop);
  send(laptop, phone);
  assert.equal(send(phone, laptop).merged, 0);
  check(phone, laptop, "merged.txt");
  assert.ok(value(phone, "SELECT count(*) FROM _tasks_crdt") > 0);
}

let [phone, laptop] = [open(":memory:"), open(":memory:")];
await story(phone, laptop);
phone.close();
laptop.close();

const files = ["phone.db", "laptop.db"].map((name) => join(folder, name));
[phone, laptop] = files.map((path) => open(path));
await story(phone, laptop);
phone.close();
laptop.close();

const bare = open(files[0], { extension: false });
bare.exec(sql("bare.sql"));
bare.close();

const reader = open(files[0], { readOnly: true });
laptop = open(files[1]);
assert.ok("peers" in JSON.parse(value(reader, "SELECT crdt_status()")));
const readOnly = digest(reader);
send(reader, laptop);
reader.close();
phone = open(files[0]);
assert.equal(digest(phone), readOnly);
check(phone, laptop, "final.txt");
console.log(digest(phone));
phone.close();
laptop.close();
