// A sync endpoint in ten lines: crdt_pull and crdt_push behind Node's own HTTP server and SQLite (Node 22.13 or later).
//
//     node examples/hub.mjs hub.db target/release/libgrove_crdt.so 8080
//
// Then, from any other database:  SELECT crdt_sync('http://127.0.0.1:8080/sync');
// For real use: grove-sync serve, which has TLS, tokens, streams, limits and commits in groups.
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";

const [file, extension, port = "8080"] = process.argv.slice(2);
if (!file || !extension) {
  console.error("node hub.mjs DATABASE EXTENSION [PORT, 0 takes a free one]");
  process.exit(2);
}
const db = new DatabaseSync(file, { allowExtension: true });
db.exec("PRAGMA busy_timeout = 10000");
db.loadExtension(extension);
const routes = {
  "/sync/pull": db.prepare("SELECT crdt_pull(?) AS answer"),
  "/sync/push": db.prepare("SELECT crdt_push(?) AS answer"),
};

async function reply(request) {
  const statement = request.method === "POST" && routes[request.url];
  if (!statement) return [404, JSON.stringify({ error: "no such route" })];
  try {
    const parts = [];
    for await (const part of request) parts.push(part); // the client may be gone in the middle of it
    return [200, statement.get(Buffer.concat(parts).toString()).answer];
  } catch (error) {
    return [400, JSON.stringify({ error: error.message })];
  }
}

const server = createServer(async (request, response) => {
  const [status, text] = await reply(request);
  response.writeHead(status, { "Content-Type": "application/json" }).end(text + "\n");
});
server.listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/sync`));
