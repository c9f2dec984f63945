// The Worker's script alone, in front of hooks, caches, stores and an origin that tests turn: what it does where one of them fails or lies.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, mock, test } from 'node:test'

const script = readFileSync(join(import.meta.dirname, '../../framework/cli/src/build/edge/index.js'), 'utf8')

const HOOKS = `
export const initSync = () => {}
export const begin = (settings) => globalThis.turned.begin?.(settings)
export const matches_by_host = () => globalThis.turned.by_host ?? false
export const decide = async (host, asked) => JSON.stringify(await globalThis.turned.decide(host, JSON.parse(asked)))
export const purged = () => JSON.stringify(globalThis.turned.purged())
`

/** Passed on with a statement, and a place in the cache. */
const pass = (more = {}) => ({ kind: 'pass', statement: 'v1.stated.x', strip: [], key: 'b1 /a?#', policy: '', personal: false, edits: [], cookies: [], log: [], ...more })
/** An answer of the origin to what was stated, which it says may be kept. */
const KEPT = {
  'x-tropos-edge': 'taken',
  'cache-control': 'private, no-store',
  'x-tropos-cache-control': 'public, max-age=0, s-maxage=600',
  'x-tropos-cdn-cache-control': 'max-age=600',
  'x-tropos-key': '/a',
}

afterEach(() => {
  mock.timers.reset()
  delete globalThis.turned
  delete globalThis.troposPanicked
})

/** A Worker of its own. `answer` is what the origin says: headers, or a function of the request's headers that gives an answer. */
async function worker({ answer = KEPT, env = {}, ...turned } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tropos-script-'))
  const text = script
    .replace('import module from "./hooks_bg.wasm";', 'const module = undefined;')
    .replace('"./hooks.js"', '"./hooks.mjs"')
    .replace('import routes from "./routes.json";', 'const routes = { build: "b1", routes: [] };')
  writeFileSync(join(folder, 'index.mjs'), text)
  writeFileSync(join(folder, 'hooks.mjs'), HOOKS)
  const { default: made } = await import(join(folder, 'index.mjs'))
  rmSync(folder, { recursive: true })
  const stored = new Map()
  const cache = {
    match: async (place) => stored.get(place)?.clone(),
    put: async (place, response) => void stored.set(place, response),
  }
  const asked = []
  const ORIGIN = {
    fetch: async (url, init) => {
      asked.push({ url, headers: Object.fromEntries(init.headers) })
      return typeof answer === 'function' ? answer(init.headers) : new Response('of the origin', { headers: answer })
    },
  }
  const console_error = mock.method(console, 'error', () => {})
  return {
    stored,
    asked,
    /** Places of pages, as they were named. */
    pages: () => [...stored.keys()].map(decodeURIComponent).filter((place) => place.includes('/page/')).map((place) => place.split('/page/')[1]),
    async ask(url = 'https://shop.example/a', init = {}) {
      globalThis.turned = { decide: async () => pass(), purged: () => [], ...turned }
      globalThis.caches = { default: cache }
      const work = []
      const response = await made.fetch(new Request(url, init), { ORIGIN, ...env }, { waitUntil: (one) => work.push(one) })
      await Promise.all(work)
      console_error.mock.restore()
      return response
    },
  }
}

const isHit = (response) => /tropos-edge; hit/.test(response.headers.get('cache-status') ?? '')

test('what the origin tells the caches of visitors is put back in place, and what it says to the Worker is not sent', async () => {
  const one = await worker()
  for (const hit of [false, true]) {
    const response = await one.ask()
    assert.equal(isHit(response), hit)
    assert.equal(response.headers.get('cache-control'), 'public, max-age=0, s-maxage=600')
    assert.equal(response.headers.get('cdn-cache-control'), 'max-age=600')
    assert.deepEqual([...response.headers.keys()].filter((name) => name.startsWith('x-tropos-')), [])
  }
})

test('an answer without a word on caches goes out without one', async () => {
  const one = await worker({ answer: { 'x-tropos-edge': 'taken', 'cache-control': 'private, no-store' } })
  assert.equal((await one.ask()).headers.get('cache-control'), null)
})

test('an answer that was not made from the statement is passed on as it is, and not kept', async () => {
  // As that of an origin of another build, whose own hooks have run.
  const { 'x-tropos-edge': taken, 'x-tropos-cache-control': own, ...rest } = KEPT
  const answer = { ...rest, 'cache-control': own }
  const one = await worker({ answer, decide: async () => pass({ edits: [['=', 'x-added', '1']] }) })
  for (let round = 0; round < 2; round += 1) {
    const response = await one.ask()
    assert.equal(response.headers.get('x-added'), null)
    assert.ok(!isHit(response))
  }
  assert.equal(one.asked.length, 2)
  assert.equal(one.stored.size, 0)
})

test('what a client writes into path and query is no policy', async () => {
  for (const [key, named, policy] of [
    ['b1 /a!of-strict?#', '/a!of-strict', ''],
    ['b1 /a?x!of-strict#', '/a', ''],
    ['b1 /a?x!other#!of-strict', '/a', 'of-strict'],
  ]) {
    const one = await worker({ answer: { ...KEPT, 'x-tropos-key': named }, decide: async () => pass({ key, policy }) })
    await one.ask()
    assert.deepEqual(one.pages(), [`b1 ${named}!${policy}`], key)
  }
})

test('an entry that the store of purges does not vouch for is no hit, and no error', async () => {
  let fails
  const get = (tag) => (fails === 'at once' ? assert.fail(tag) : fails ? Promise.reject(new Error(tag)) : Promise.resolve(null))
  const one = await worker({ answer: { ...KEPT, 'cache-tag': 'a,b' }, env: { TAGS: { get } } })
  await one.ask()
  assert.ok(isHit(await one.ask()))
  for (fails of ['later', 'at once']) {
    const response = await one.ask()
    assert.deepEqual([response.status, isHit(response), await response.text()], [200, false, 'of the origin'], fails)
  }
})

test('an entry with more tags than a hit could look up is not kept, where they are looked up', async () => {
  const tags = (count) => Array.from({ length: count }, (_, at) => `t${at}`).join(',')
  for (const [count, env, kept] of [
    [40, { TAGS: { get: async () => null } }, 1],
    [41, { TAGS: { get: async () => null } }, 0],
    [41, {}, 1],
  ]) {
    const one = await worker({ answer: { ...KEPT, 'cache-tag': tags(count) }, env })
    await one.ask()
    assert.equal(one.pages().length, kept, `${count} tags`)
  }
})

test('without a store to purge in, an entry is put there for a minute', async () => {
  for (const [env, seconds] of [[{}, 60], [{ TAGS: { get: async () => null } }, 600]]) {
    const one = await worker({ env })
    await one.ask()
    const [page] = [...one.stored].filter(([place]) => place.includes('/page/')).map(([, response]) => response)
    assert.equal(page.headers.get('cache-control'), `max-age=${seconds}`)
  }
})

test('a purge that is not signed gets 401, and one that cannot be noted 503', async () => {
  const unsigned = () => {
    throw new Error('not signed')
  }
  const put = async (name) => name.endsWith('bad') && assert.fail('the store is away')
  for (const [purged, status] of [[unsigned, 401], [() => ['good', 'bad'], 503], [() => ['good'], 200]]) {
    const one = await worker({ purged, env: { TAGS: { put } } })
    const response = await one.ask('https://shop.example/_tropos/purge', { method: 'POST' })
    assert.equal(response.status, status)
    assert.equal(one.asked.length, 0)
  }
})

test('where hooks go by the host, the origin does not decide for a host that it is not asked for', async () => {
  const ORIGIN_URL = 'https://origin.shop.example'
  const broken = () => {
    throw new Error('broken')
  }
  const { 'x-tropos-edge': taken, ...unbelieved } = KEPT
  const unstated = async () => pass({ statement: null, key: null })
  for (const [what, turned, refused, forwarded] of [
    ['the hooks fail', { decide: broken }, true, 0],
    ['they do not begin, and nobody knows by what they go', { begin: broken, by_host: false }, true, 0],
    ['nothing is stated', { decide: unstated }, true, 0],
    ['the origin does not believe it', { answer: unbelieved }, true, 1],
    ['all is well', {}, false, 1],
    ['no hook goes by the host', { decide: broken, by_host: false }, false, 1],
    ['the host is the same', { decide: broken, env: { ORIGIN_URL: 'https://Shop.example/' } }, false, 1],
    ['the visitor\'s host is kept', { decide: broken, env: {} }, false, 1],
  ]) {
    const one = await worker({ by_host: true, env: { ORIGIN_URL }, ...turned })
    const response = await one.ask()
    assert.equal(response.status, refused ? 503 : 200, what)
    assert.equal(one.asked.length, forwarded, what)
    const required = one.asked[0]?.headers['x-tropos-edge-required']
    const stated = one.asked[0]?.headers['x-tropos-edge']
    assert.equal(required, stated && '1', `${what}: a statement, and that there is no answer without it`)
  }
  const one = await worker({ by_host: true, env: { ORIGIN_URL }, decide: unstated })
  assert.equal((await one.ask('https://shop.example/_tropos/revalidate', { method: 'POST' })).status, 200, 'no hook runs for it')
})

test('a client does not say that a statement is required', async () => {
  const one = await worker()
  await one.ask('https://shop.example/a', { headers: { 'x-tropos-edge-required': '1' } })
  assert.equal(one.asked[0].headers['x-tropos-edge-required'], undefined)
})

/** What a hook is told by one call of the platform, in the body of its answer. */
const telling = (call) => async (host) => {
  const told = await call(host).catch((error) => `failed: ${error.message}`)
  return { kind: 'answer', status: 200, headers: [], body: String(told), log: [] }
}

test('counts and look-ups that never answer, or answer with an error, fail in time, and the hook goes on by its rule', async () => {
  const never = () => new Promise(() => {})
  const counts = (fetch) => ({ RATE_LIMITS: { fetch } })
  const count = (host) => host.count('k', 1, 60, false)
  for (const [env, call, after, told] of [
    [counts(never), count, 250, /^failed: .*250 ms/],
    [counts(async () => new Response(new ReadableStream())), count, 250, /^failed: .*250 ms/],
    [counts(async () => new Response('[5,1]', { status: 500 })), count, 0, /^failed: .* 500$/],
    [counts(async () => new Response('[5,1]')), count, 0, /^5,1$/],
    [{ STORE: { get: never } }, (host) => host.lookup('STORE', 'x'), 5000, /^failed: .*STORE.* 5 s/],
    [{ STORE: { get: async () => null } }, (host) => host.lookup('STORE', 'x'), 0, /^undefined$/],
    [{}, (host) => host.lookup('STORE', 'x'), 0, /^undefined$/],
  ]) {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    const one = await worker({ env, decide: telling(call) })
    const asking = one.ask()
    let response
    asking.then((one) => (response = one))
    const settle = () => new Promise((resolve) => setImmediate(resolve))
    await settle()
    mock.timers.tick(Math.max(0, after - 1))
    await settle()
    assert.equal(response === undefined, after > 0, `${told}: not before its time`)
    mock.timers.tick(1)
    await asking
    assert.match(await response.text(), told)
    mock.timers.reset()
  }
})

test('hooks that are late leave a request to the origin, and only those that are so again and again, or have panicked, the next one', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  let ran = 0
  let answers = true
  const decide = () => {
    ran += 1
    return answers ? pass() : new Promise(() => {})
  }
  const one = await worker({ decide })
  /** Whether the hooks ran. */
  const round = async (well, wait = 20_000) => {
    const before = ran
    answers = well
    const asking = one.ask()
    await settle()
    if (!well) mock.timers.tick(wait)
    assert.equal((await asking).status, 200)
    return ran > before
  }
  for (const well of [false, false, true, false, false, true]) assert.ok(await round(well), 'a good one between')
  for (let late = 0; late < 3; late += 1) assert.ok(await round(false))
  assert.ok(!(await round(true)), 'left alone')
  mock.timers.tick(60_001)
  assert.ok(await round(true), 'and asked again')
  assert.ok(await round(true))
  globalThis.troposPanicked = true
  assert.ok(!(await round(true)), 'a panic is for good')
  mock.timers.tick(10 * 60_000)
  assert.ok(!(await round(true)))
})
