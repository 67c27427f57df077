'use strict';

const base = document.querySelector('meta[name=base]').content;
const at = (id) => document.getElementById(id);
const FEED = 200;
let token = sessionStorage.getItem('token');
let last = null;

class Denied extends Error {}

async function ask(path, headers = {}) {
  if (token) headers.Authorization = 'Bearer ' + token;
  const answer = await fetch(base + path, { headers, cache: 'no-store' });
  if (answer.status === 401 || answer.status === 403) throw new Denied();
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function state(text, kind) {
  at('state').textContent = text;
  at('state').className = kind;
}

// Texts only ever become text nodes.
function row(cells) {
  const tr = document.createElement('tr');
  for (const cell of cells) tr.insertCell().textContent = cell ?? '';
  return tr;
}

function fill(id, rows) {
  at(id).tBodies[0].replaceChildren(...rows.map(row));
}

function ago(ns) {
  const s = Math.max(0, Math.round(Date.now() / 1000 - ns / 1e9));
  return s < 120 ? s + ' s ago' : s < 7200 ? Math.round(s / 60) + ' min ago' : Math.round(s / 3600) + ' h ago';
}

function show(status) {
  document.querySelector('main').hidden = false;
  at('login').hidden = true;
  at('node').textContent = status.node;
  fill('tables', status.tables.map((t) => [t.enabled ? t.table : t.table + ' (disabled)', t.records, t.tombstones, t.pending]));
  const peers = status.peers ?? [];
  fill('peers', peers.map((p) => [p.node, p.lag, ago(p.seen)]));
  at('alone').hidden = peers.length > 0;
  const facts = [
    ['Version', status.version],
    ['Log', status.log && status.log.rows + ' rows, the last is ' + status.log.last],
    ['Clock ahead', status.drift_ms > 0 && status.drift_ms + ' ms'],
    ['Conflicts listed', status.conflicts],
    ['From the future', status.future],
    ['Streams', status.hub.streams],
    ['Present', status.hub.present],
  ];
  const list = [];
  for (const [name, value] of facts) {
    if (value === undefined || value === false) continue;
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = name;
    dd.textContent = value;
    list.push(dt, dd);
  }
  at('facts').replaceChildren(...list);
  at('warnings').replaceChildren(...(status.warnings ?? []).map((warning) => {
    const li = document.createElement('li');
    li.textContent = warning;
    return li;
  }));
}

function value(change) {
  if (change.tombstone) return 'deleted';
  const told = change.counter_delta ?? change.set_op ?? change.value;
  const text = told === undefined ? '' : JSON.stringify(told);
  return text.length > 200 ? text.slice(0, 200) + '…' : text;
}

function feed(changes) {
  at('quiet').hidden = true;
  const body = at('feed').tBodies[0];
  for (const change of changes.slice(-FEED)) {
    const when = change.hlc && change.hlc.ts ? new Date(change.hlc.ts / 1e6).toLocaleString() : '';
    body.prepend(row([when, change.table + '[' + change.pk + ']', change.field, value(change), change.node_id]));
  }
  while (body.rows.length > FEED) body.deleteRow(-1);
}

// An event: its fields by name.
function heard(event) {
  if (event.id) last = event.id;
  if (event.event === 'changes') feed(JSON.parse(event.data));
}

async function stream(since) {
  const headers = last ? { 'Last-Event-ID': last } : {};
  const answer = await ask('/stream?topics=-&since_ts=' + since, headers);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let event = {};
  state('live', 'good');
  for (;;) {
    const { value: text, done } = await reader.read();
    if (done) return;
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (line === '') {
        heard(event);
        event = {};
      } else if (colon > 0) {
        event[line.slice(0, colon)] = line.slice(colon + 2);
      }
    }
  }
}

async function status() {
  const told = await (await ask('/status')).json();
  show(told);
  return told;
}

async function live() {
  const since = (await status()).wall; // whole milliseconds: exact as a Number
  const again = setInterval(() => status().catch(() => {}), 2000);
  try {
    for (;;) {
      await stream(since).catch((e) => {
        if (e instanceof Denied) throw e;
      });
      state('connection lost, trying again', 'bad');
      await pause(1000);
    }
  } finally {
    clearInterval(again);
  }
}

async function run() {
  for (;;) {
    try {
      await live();
    } catch (e) {
      if (e instanceof Denied) {
        state('a token is needed', 'bad');
        document.querySelector('main').hidden = true;
        at('login').hidden = false;
        return;
      }
      state(e.message, 'bad');
      await pause(2000);
    }
  }
}

at('login').addEventListener('submit', (submitted) => {
  submitted.preventDefault();
  token = at('token').value.trim();
  sessionStorage.setItem('token', token);
  at('login').hidden = true;
  run();
});

run();
