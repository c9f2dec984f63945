// The Worker: runs the application's hooks in front of the edge's cache and the origin. Written by `cargo tropos build --edge workers`.
import module from "./hooks_bg.wasm";
import { begin, decide, initSync, matches_by_host, purged } from "./hooks.js";
import routes from "./routes.json";

initSync({ module });

/** Seconds that an entry is kept at the edge where nothing there can take it back: no store `TAGS` is bound. */
const UNPURGEABLE = 60;
/** Milliseconds that a hook waits for another server, and bytes that it is given of its answer. */
const [FETCH_TIMEOUT, LONGEST_FETCH] = [5_000, 1 << 20];
/** Milliseconds that a hook waits for a store; for a count less, since it stands before every request that is limited. */
const [LOOKUP_TIMEOUT, COUNT_TIMEOUT] = [5_000, 250];
/** Milliseconds after which hooks that gave no answer are given up for this request. */
const HOOKS_TIMEOUT = 20_000;
/** So many requests one after the other without an answer, and the origin's hooks decide for so many milliseconds. */
const [MOST_LATE, PAUSE] = [3, 60_000];
/** An entry has at most this many tags: each is a look-up on each hit, and platforms allow some 50 a request. */
const MOST_TAGS = 40;
/** What a stored page may be. */
const STATUSES = [200, 301, 307, 308, 404];

/** What a promise gives, or an error with `message` where it gives nothing in time. */
function in_time(promise, milliseconds, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message)), milliseconds)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What hooks are offered; `framework/edge/src/worker/js.rs` calls it. */
class Host {
  constructor(env, ctx) { this.env = env; this.ctx = ctx; }
  now() { return Date.now(); }
  random() { return crypto.getRandomValues(new BigUint64Array(1))[0]; }
  async lookup(store, name) {
    const bytes = await in_time(this.env[store]?.get(name, "arrayBuffer"), LOOKUP_TIMEOUT, `the store ${store} did not answer in 5 s`);
    return bytes ? new Uint8Array(bytes) : undefined;
  }
  /** By the service `RATE_LIMITS`, which answers `POST /?key&most&seconds` with `[left, seconds]`; else this isolate counts. */
  async count(key, most, seconds, slides) {
    if (!this.env.RATE_LIMITS) return undefined;
    const query = new URLSearchParams({ key, most, seconds, slides });
    const asking = this.env.RATE_LIMITS.fetch(`http://counts/?${query}`, { method: "POST", signal: AbortSignal.timeout(COUNT_TIMEOUT) });
    // Also the body is waited for no longer, and a service that does not heed the signal.
    const read = async (answer) => {
      if (!answer.ok) throw new Error(`the service RATE_LIMITS answered with ${answer.status}`);
      return answer.json();
    };
    return in_time(Promise.resolve(asking).then(read), COUNT_TIMEOUT, "the service RATE_LIMITS did not answer in 250 ms");
  }
  async fetch(url) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT) });
    const chunks = [];
    let length = 0;
    for await (const chunk of answer.body ?? []) {
      if ((length += chunk.length) > LONGEST_FETCH) throw new Error(`${url} answers with more than 1 MiB`);
      chunks.push(chunk);
    }
    return [answer.status, new Uint8Array(await new Blob(chunks).arrayBuffer())];
  }
  waitUntil(work) { this.ctx.waitUntil(work); }
}

/** The host, path and query of an address, as they came: no spelling is changed before the hooks see it. */
function split(url) {
  const [, scheme, host, path, query = ""] = /^(https?):\/\/([^/?#]*)([^?#]*)\??([^#]*)/.exec(url);
  return { secure: scheme === "https", host, path: path || "/", query };
}

/** The request as the hooks are handed it. */
function asked(request, env) {
  const { secure, host, path, query } = split(request.url);
  const origin_host = env.ORIGIN_URL ? split(env.ORIGIN_URL).host : undefined;
  const headers = [...request.headers];
  // Only a platform that sets this header itself may be believed: Cloudflare's own, which names its location, or the one that is named.
  const from = env.TROPOS_CLIENT_IP_HEADER ?? (request.cf?.colo ? "cf-connecting-ip" : undefined);
  const address = from ? request.headers.get(from)?.split(",").pop() : undefined;
  const { country, regionCode: region, city } = request.cf ?? {};
  return { method: request.method, host, origin_host, secure, path, query, headers, address, trusted: !!from, country, region, city };
}

function start(env) {
  const vars = Object.fromEntries(Object.entries(env).filter(([, value]) => typeof value === "string"));
  begin(JSON.stringify({ ...routes, vars }));
  by_host ??= matches_by_host();
}

/** Whether some hook is for some hosts alone; unknown while the hooks have not begun. */
let by_host;
/** Requests one after the other that the hooks gave no answer for, and until when they are not asked. */
let [late, paused] = [0, 0];

/** What the hooks decide. */
async function decision_of(request, env, ctx) {
  // A panic takes the module with it; `framework/edge/src/worker/js.rs` says so.
  if (globalThis.troposPanicked) throw new Error("a hook has panicked before");
  if (Date.now() < paused) throw new Error("the hooks have been late too often, and are left alone for a minute");
  const deciding = decide(new Host(env, ctx), JSON.stringify(asked(request, env)));
  const failed = () => new Error(globalThis.troposPanicked ? "a hook has panicked" : "the hooks take longer than 20 s");
  let timer;
  const given_up = new Promise((_, reject) => {
    timer = setTimeout(() => {
      if ((late += 1) >= MOST_LATE) paused = Date.now() + PAUSE;
      reject(failed());
    }, HOOKS_TIMEOUT);
  });
  const decided = await Promise.race([deciding, given_up]).finally(() => clearTimeout(timer));
  [late, paused] = [0, 0];
  return JSON.parse(decided);
}

/** Whether the hooks of the origin would see another host than the visitor's, and one of them goes by it. */
function origin_cannot_decide(request, env) {
  if (!env.ORIGIN_URL || by_host === false) return false;
  return split(env.ORIGIN_URL).host.toLowerCase() !== split(request.url).host.toLowerCase();
}

const refusal = () =>
  new Response("the hooks did not run here, and cannot run at the origin\n", {
    status: 503,
    headers: { "cache-control": "no-store", "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });

/** Has the origin's hooks decide, where nothing is stated. */
function leave_to_origin(request, env, decision) {
  // Machines call it, with a token of their own: no hook runs for it.
  const is_own = split(request.url).path === "/_tropos/revalidate";
  return !is_own && origin_cannot_decide(request, env) ? refusal() : forward(request, env, decision);
}

/** Asks the origin. With `plain`, as for the cache: whole, and in no coding. */
function forward(request, env, decision, plain = false) {
  const headers = new Headers(request.headers);
  for (const name of decision.strip) headers.delete(name);
  for (const name of ["x-tropos-edge", "x-tropos-edge-required"]) headers.delete(name);
  if (decision.statement) headers.set("x-tropos-edge", decision.statement);
  if (decision.statement && origin_cannot_decide(request, env)) headers.set("x-tropos-edge-required", "1");
  if (plain) headers.set("accept-encoding", "identity");
  const { path, query } = split(request.url);
  const url = env.ORIGIN_URL ? env.ORIGIN_URL.replace(/\/$/, "") + path + (query && `?${query}`) : request.url;
  const body = ["GET", "HEAD"].includes(request.method) ? undefined : request.body;
  const init = { method: request.method, headers, body, redirect: "manual" };
  return env.ORIGIN ? env.ORIGIN.fetch(url, init) : fetch(url, init);
}

const place = (kind, key) => `https://edge.tropos/${kind}/${encodeURIComponent(key)}`;

/** An answer of the cache, or nothing: a platform without a cache is one that has nothing. */
const match = (kind, key) => caches.default.match(place(kind, key)).catch(() => undefined);

/** The stored answer for a decision. The origin's own key is known by what it said of the same request before. */
async function cached(decision, env) {
  const key = await (await match("key", decision.key))?.text();
  const found = key && (await match("page", key));
  if (!found) return undefined;
  const at = Number(found.headers.get("x-tropos-at"));
  // Where the store does not say that an entry is good, it is none.
  const unknown = [Infinity];
  const purges = env.TAGS ? await Promise.all(tags_of(found.headers).map(async (tag) => env.TAGS.get(`purged ${tag}`))).catch(() => unknown) : [];
  if (purges.some((purge) => Number(purge ?? 0) >= at)) return undefined;
  const headers = new Headers(found.headers);
  const age = Number(headers.get("x-tropos-age")) + Math.max(0, Math.floor((Date.now() - at) / 1000));
  headers.set("age", age);
  headers.set("cache-control", headers.get("x-tropos-cache-control"));
  headers.delete("cf-cache-status");
  headers.append("cache-status", `tropos-edge; hit; ttl=${lifetime(headers) - age}`);
  return new Response(found.body, { status: found.status, headers });
}

/** Seconds for which shared caches may keep an answer. */
const lifetime = (headers) => Number(/^public,.*\bs-maxage=(\d+)/.exec(headers.get("cache-control"))?.[1] ?? 0);

const tags_of = (headers) => headers.get("cache-tag")?.split(",") ?? [];

/** An answer to what was stated, with what the origin tells the caches of visitors: on the way here it says that none may keep it. */
function unveiled(answer) {
  const headers = new Headers(answer.headers);
  for (const name of ["cache-control", "cdn-cache-control"]) {
    const own = headers.get(`x-tropos-${name}`);
    headers.delete(`x-tropos-${name}`);
    if (own === null) headers.delete(name);
    else headers.set(name, own);
  }
  const { status, statusText } = answer;
  return new Response(answer.body, { status, statusText, headers });
}

/** Keeps an answer of the origin, and under which key it said that it is. `at` is when it was asked. */
function keep(decision, answer, env, ctx, at) {
  const named = answer.headers.get("x-tropos-key");
  const age = Number(answer.headers.get("age") ?? 0);
  const left = Math.min(lifetime(answer.headers) - age, env.TAGS ? Infinity : UNPURGEABLE);
  // Every answer is in the one coding that was asked for; what varies by anything else is not ours to keep.
  const varies = (answer.headers.get("vary") ?? "").split(",").some((name) => !["", "accept-encoding"].includes(name.trim().toLowerCase()));
  const purgeable = !env.TAGS || tags_of(answer.headers).length <= MOST_TAGS;
  if (!named || varies || !purgeable || left <= 0 || !STATUSES.includes(answer.status) || answer.headers.has("set-cookie")) return answer;
  // The policy is the edge's own part of the key, the rest is the origin's.
  const key = `${routes.build} ${named}!${decision.policy}`;
  const copy = answer.clone();
  const headers = new Headers(copy.headers);
  headers.set("x-tropos-cache-control", headers.get("cache-control"));
  headers.set("x-tropos-at", at);
  headers.set("x-tropos-age", age);
  headers.set("cache-control", `max-age=${left}`);
  headers.delete("age");
  const alias = new Response(key, { headers: { "cache-control": "max-age=86400" } });
  const put = [
    caches.default.put(place("page", key), new Response(copy.body, { status: copy.status, headers })),
    caches.default.put(place("key", decision.key), alias),
  ];
  ctx.waitUntil(Promise.allSettled(put));
  return answer;
}

/** Answers a condition from a stored answer (RFC 9110 §13.1.2). */
function unchanged(request, answer) {
  const asked = request.headers.get("if-none-match");
  const own = answer.headers.get("etag")?.replace(/^W\//, "");
  if (!asked || !own || answer.status !== 200) return answer;
  if (asked.trim() !== "*" && !asked.split(",").some((tag) => tag.trim().replace(/^W\//, "") === own)) return answer;
  const headers = new Headers(answer.headers);
  for (const name of ["content-length", "content-type", "content-encoding", "accept-ranges"]) headers.delete(name);
  return new Response(null, { status: 304, headers });
}

/** Makes an answer one visitor's, as the server does. */
function make_private(headers) {
  const caching = (headers.get("cache-control") ?? "").toLowerCase();
  if (caching.includes("immutable")) headers.set("cache-control", "private, max-age=31536000, immutable");
  else if (!/private|no-store/.test(caching)) headers.set("cache-control", "private, no-cache");
  for (const name of ["cdn-cache-control", "surrogate-control", "surrogate-key", "cache-tag"]) headers.delete(name);
}

/** Does to an answer what the hooks left to be done. */
function finish(request, decision, answer) {
  const headers = new Headers(answer.headers);
  for (const name of [...headers.keys()]) if (name.startsWith("x-tropos-")) headers.delete(name);
  headers.delete("cache-tag");
  for (const [kind, name, value] of decision.edits) {
    if (kind === "-") headers.delete(name);
    else headers[kind === "=" ? "set" : "append"](name, value);
  }
  for (const line of decision.cookies) headers.append("set-cookie", line);
  // Whatever a hook has said of caches: one that does not know the visitor cannot speak for one that does.
  if (decision.personal) make_private(headers);
  headers.set("x-content-type-options", "nosniff");
  const { status, statusText } = answer;
  return new Response(request.method === "HEAD" ? null : answer.body, { status, statusText, headers });
}

/** `POST /_tropos/purge`, signed: entries of these tags are no longer answered with. */
async function purge(request, env) {
  if (!env.TAGS) return new Response("bind a store TAGS to purge by tags\n", { status: 501 });
  let tags;
  try {
    tags = JSON.parse(purged(JSON.stringify(asked(request, env)), request.headers.get("x-tropos-edge") ?? "", Date.now()));
  } catch (error) {
    return new Response(`${error.message ?? error}\n`, { status: 401 });
  }
  try {
    await Promise.all(tags.map(async (tag) => env.TAGS.put(`purged ${tag}`, String(Date.now()), { expirationTtl: 31_536_000 })));
    return Response.json({ purged: tags.length });
  } catch (error) {
    console.error(`the store TAGS: ${error.message ?? error}`);
    return new Response("not every tag was noted: ask again\n", { status: 503 });
  }
}

export default {
  /** @param {Request} request @param {Record<string, any>} env @param {{waitUntil(work: Promise<unknown>): void}} ctx */
  async fetch(request, env, ctx) {
    let decision;
    try {
      start(env);
      if (request.method === "POST" && split(request.url).path === "/_tropos/purge") return await purge(request, env);
      decision = await decision_of(request, env, ctx);
    } catch (error) {
      // Nothing is stated, so the origin runs the hooks itself.
      console.error(`the hooks did not run at the edge: ${error.message ?? error}`);
      return leave_to_origin(request, env, { strip: [] });
    }
    for (const line of decision.log) console.log(line);
    if (decision.kind === "answer") {
      const { status, body } = decision;
      const headers = new Headers(decision.headers);
      if (headers.has("set-cookie")) make_private(headers);
      // An empty text would be one of a type.
      const empty = !body || request.method === "HEAD" || [204, 205, 304].includes(status);
      return new Response(empty ? null : body, { status, headers });
    }
    if (!decision.statement) return leave_to_origin(request, env, decision);
    const at = Date.now();
    const found = decision.key && (await cached(decision, env));
    if (found) return finish(request, decision, unchanged(request, found));
    const whole = !["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"].some((name) => request.headers.has(name));
    const keeps = decision.key && whole && request.method === "GET";
    const forwarded = await forward(request, env, decision, keeps);
    // Not believed, so the hooks have run at the origin, and their part of the answer is in it. It is not kept: it may be another build's.
    if (!forwarded.headers.has("x-tropos-edge")) return origin_cannot_decide(request, env) ? refusal() : forwarded;
    const answer = unveiled(forwarded);
    return finish(request, decision, keeps ? keep(decision, answer, env, ctx, at) : answer);
  },
};
