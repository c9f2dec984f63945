// The Worker of the fixture in workerd, in front of the fixture's server: what the adapter itself must do.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { start } from '../browser/app-server.mjs'
import { startWorkerd } from './workerd.mjs'

const dist = process.env.FIXTURE_DIST ?? join(import.meta.dirname, '../fixture/dist')
const SECRET = 'a secret of edge and origin'
const TOKEN = 'a token for tests'
const HOST = 'shop.example'
/** An answer that takes longer never comes. */
const LONGEST_MS = 30_000

let upstream, origin, edge, untrusted, plain, older
/** The build's id, which is signed. */
let build
/** How often each value was read, and those that wait. */
const reads = new Map()
const waiting = new Map()

before(async () => {
  upstream = createServer(async (request, response) => {
    const key = decodeURIComponent(request.url.slice(3))
    if (request.url.startsWith('/list/')) return response.end('[]')
    reads.set(key, (reads.get(key) ?? 0) + 1)
    await waiting.get(key)
    if (key.startsWith('server-away')) return response.writeHead(307, { location: '/elsewhere' }).end()
    response.end(`${key} ${reads.get(key)}`)
  })
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const environment = {
    UPSTREAM_URL: `http://127.0.0.1:${upstream.address().port}`,
    TROPOS_FETCH_ALLOW: '127.0.0.1',
    TROPOS_ALLOWED_HOSTS: HOST,
    TROPOS_EDGE_SECRET: `a new one on its way in,${SECRET}`,
    TROPOS_REVALIDATE_TOKEN: TOKEN,
  }
  assert.ok(existsSync(join(dist, 'worker/index.js')), `no Worker in ${dist}: cargo xtask fixture makes it`)
  origin = await start(join(dist, 'tropos-fixture'), environment)
  const worker = join(dist, 'worker')
  const routes = JSON.parse(readFileSync(join(worker, 'routes.json'), 'utf8'))
  build = routes.build
  const vars = { TROPOS_EDGE_SECRET: SECRET }
  edge = await startWorkerd({ worker, origin: origin.url, vars, tags: true })
  untrusted = await startWorkerd({ worker, origin: origin.url, vars: { TROPOS_EDGE_SECRET: 'another secret than theirs' } })
  plain = await startWorkerd({ worker, origin: origin.url, vars, tells: true })
  const of_older = mkdtempSync(join(tmpdir(), 'tropos-older-'))
  cpSync(worker, of_older, { recursive: true })
  writeFileSync(join(of_older, 'routes.json'), JSON.stringify({ ...routes, build: 'older' }))
  older = await startWorkerd({ worker: of_older, origin: origin.url, vars, tags: true })
  rmSync(of_older, { recursive: true })
  console.log(`workerd answers ${Math.round(edge.took)} ms after its start`)
})

after(async () => {
  await Promise.all([edge, untrusted, plain, older, origin].map((one) => one?.stop()))
  upstream?.close()
})

/** Asks by a path that nothing respells; gives status, headers as they came, and body. */
function ask(at, path, { method = 'GET', headers = {}, body, until } = {}) {
  const { hostname, port } = new URL(at.url)
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(LONGEST_MS)
    const asked = httpRequest({ hostname, port, path, method, signal, headers: { host: HOST, ...headers } }, (answer) => {
      let text = ''
      const done = () => resolve({ status: answer.statusCode, headers: answer.headers, body: text, raw: answer.rawHeaders })
      answer.setEncoding('utf8')
      answer.on('data', (chunk) => {
        text += chunk
        if (until?.(text)) {
          done()
          asked.destroy()
        }
      })
      answer.on('end', done)
      answer.on('error', reject)
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** What of an answer must be the same wherever the hooks ran. */
function compared({ status, headers, body }) {
  const { date, age, connection, 'keep-alive': alive, 'transfer-encoding': coding, 'content-length': length, ...rest } = headers
  return { status, rest, body }
}

/** A statement as the edge signs it. */
function signed(path, { method = 'GET', host = HOST, query = '', secret = SECRET, time = Date.now(), of = build, ...decided } = {}) {
  const payload = Buffer.from(JSON.stringify({ t: time, ...decided })).toString('base64url')
  const mac = createHmac('sha256', secret)
  for (const part of ['tropos edge statement', of, method, host, path, '', query, payload]) {
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(part)))
    mac.update(length).update(part)
  }
  return `v1.${payload}.${mac.digest('base64url')}`
}

const value = ({ body }) => /<p id="value">([^<]*)</.exec(body)?.[1]
const isEdgeHit = ({ headers }) => /tropos-edge; hit/.test(headers['cache-status'] ?? '')
/** Asks until the answer comes from the edge: it is put there after the first visitor has it. */
async function hit(at, path, options) {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask(at, path, options)
    if (isEdgeHit(answer)) return answer
    assert.ok(tries < 100, `${path} does not come from the edge: ${answer.headers['cache-status']}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const stated = (path, text) => ask(origin, path, { headers: { 'x-tropos-edge': text } })

test('a refusal is answered at the edge, as the origin would have', async () => {
  const [here, there] = [await ask(edge, '/guarded/a'), await ask(origin, '/guarded/a')]
  assert.equal(here.status, 401)
  assert.deepEqual(compared(here), compared(there))
  assert.equal(reads.get('guarded-a'), undefined)
})

test('whoever is let in sees the page, and nobody keeps it', async () => {
  const answer = await ask(edge, '/guarded/a', { headers: { cookie: 'session=good' } })
  assert.equal(answer.status, 200)
  assert.match(value(answer), /^guarded-a/)
  assert.equal(answer.headers['cache-control'], 'private, no-store')
})

test('no spelling of a guarded path leads around the guard', async () => {
  for (const path of ['/guarded/%61', '/%67uarded/a', '/guarded/a/', '/guarded/a?x', '/guarded/./a', '/x/../guarded/a', '/guarded//a', '//guarded/a', '/guarded%2fa', '/guarded/a%00', '/guarded\\a', '/guarded/a#x']) {
    const { status, body } = await ask(edge, path)
    assert.ok([400, 401, 404].includes(status), `${path}: ${status}`)
    assert.doesNotMatch(body, /data-value/, path)
  }
})

test('a path that could be read in two ways is refused in the same words', async () => {
  for (const path of ['/a%zz', '/a%2fb', '/a//b']) {
    assert.deepEqual(compared(await ask(edge, path)), compared(await ask(origin, path)), path)
  }
})

test('a stored page behind a guard is kept at the edge and given to those alone whom the guard lets in', async () => {
  const good = { headers: { cookie: 'session=good' } }
  const first = await ask(edge, '/guarded-isr/a', good)
  assert.deepEqual([first.status, first.headers['cache-control']], [200, 'private, no-cache'])
  assert.equal(first.headers['cdn-cache-control'], undefined)
  const second = await hit(edge, '/guarded-isr/a', good)
  assert.equal(second.headers['cache-control'], 'private, no-cache')
  assert.equal(second.body, first.body)
  const { status, body } = await ask(edge, '/guarded-isr/a')
  assert.deepEqual([status, body], [401, 'sign in first'])
})

test('each side of an experiment is a page of its own, and never the other one', async () => {
  for (let round = 0; round < 3; round += 1) {
    for (const side of ['a', 'b']) {
      const answer = await (round ? hit : ask)(edge, '/variant/x', { headers: { cookie: `ab=${side}` } })
      assert.equal(value(answer), `variant-x-${side} 1`)
      assert.equal(answer.headers['set-cookie'], undefined)
    }
  }
})

test('a newcomer is given a side once, by one cookie, also where the page comes from the edge', async () => {
  for (const side of ['a', 'b']) await hit(edge, '/variant/y', { headers: { cookie: `ab=${side}` } })
  const answer = await ask(edge, '/variant/y')
  const [line, ...more] = answer.headers['set-cookie']
  assert.deepEqual(more, [])
  const side = /^ab=([ab]); SameSite=Lax; Path=\/$/.exec(line)?.[1]
  assert.ok(side, line)
  assert.equal(value(answer), `variant-y-${side} 1`)
  assert.ok(isEdgeHit(answer))
  assert.equal(answer.headers['cache-control'], 'private, no-cache')
})

test('a side that is none counts as no side', async () => {
  const answer = await ask(edge, '/variant/y', { headers: { cookie: 'ab=c' } })
  assert.equal(answer.headers['set-cookie'].length, 1)
})

test('where the origin does not believe the edge, its own hooks run, and nothing is added twice', async () => {
  const answer = await ask(untrusted, '/variant/z')
  assert.equal(answer.headers['set-cookie'].length, 1)
  const side = /^ab=([ab])/.exec(answer.headers['set-cookie'][0])[1]
  assert.equal(value(answer), `variant-z-${side} 1`)
  assert.equal((await ask(untrusted, '/guarded/a')).status, 401)
  assert.equal((await ask(untrusted, '/guarded/a', { headers: { cookie: 'session=good' } })).status, 200)
  assert.equal(answer.headers['cache-control'], 'private, no-cache')
})

test('the Worker of another build decides nothing for the origin, and keeps nothing of its answers', async () => {
  for (let round = 0; round < 3; round += 1) {
    const answer = await ask(older, '/variant/o')
    assert.equal(answer.headers['set-cookie'].length, 1, 'added once, by the origin')
    for (const path of ['/query/o', '/variant/o']) assert.ok(!isEdgeHit(await ask(older, path)), path)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal((await ask(older, '/_tropos/purge', { method: 'POST', headers: { 'x-tropos-edge': signed('/_tropos/purge', { method: 'POST', g: ['a'] }) } })).status, 401)
})

test('what was made from a statement may be kept by nobody between origin and edge', async () => {
  for (const path of ['/query/between', '/variant/between', '/plain', '/server/between']) {
    for (let round = 0; round < 2; round += 1) {
      const answer = await stated(path, signed(path))
      assert.equal(answer.headers['x-tropos-edge'], 'taken', path)
      assert.equal(answer.headers['cache-control'], 'private, no-store', path)
      assert.equal(answer.headers['cdn-cache-control'], undefined, path)
    }
  }
  assert.match((await stated('/query/between', signed('/query/between'))).headers['x-tropos-cache-control'], /^public, /)
})

test('a page under a policy and the same page without it are two, whatever a client writes into its address', async () => {
  for (const path of ['/query/e', '/query/e?x!y', '/query/e!y', '/query/e!y?x!y!z']) {
    for (let round = 0; round < 2; round += 1) {
      const strict = await (round ? hit : ask)(edge, `/strict${path}`)
      const open = await (round ? hit : ask)(edge, path)
      assert.match(strict.headers['content-security-policy'] ?? '', /default-src/, path)
      assert.equal(open.headers['content-security-policy'], undefined, path)
    }
  }
})

test('a statement lets a request pass the hooks of the origin', async () => {
  const answer = await stated('/guarded/s', signed('/guarded/s'))
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['x-tropos-edge'], 'taken')
  assert.equal((await stated('/guarded/%73', signed('/guarded/s'))).status, 200, 'of the one spelling')
})

test('no statement is believed that was forged, copied to another request, or is old', async () => {
  const minutes = 60_000
  for (const [what, text] of [
    ['by another key', signed('/guarded/f', { secret: 'another secret of somebody' })],
    ['of another build', signed('/guarded/f', { of: 'older' })],
    ['of another path', signed('/guarded/g')],
    ['of another query', signed('/guarded/f', { query: 'a=b' })],
    ['of another method', signed('/guarded/f', { method: 'POST' })],
    ['of another host', signed('/guarded/f', { host: 'other.example' })],
    ['too old', signed('/guarded/f', { time: Date.now() - 2.1 * minutes })],
    ['of the future', signed('/guarded/f', { time: Date.now() + 1.1 * minutes })],
    ['with a part that is not known', signed('/guarded/f', { z: 1 })],
    ['without a signature', signed('/guarded/f').split('.').slice(0, 2).join('.')],
    ['touched', signed('/guarded/f').replace('v1.e', 'v1.f')],
    ['too long', signed('/guarded/f', { q: 'x'.repeat(17_000) })],
    ['twice', [signed('/guarded/f'), signed('/guarded/f')]],
    ['empty', ''],
  ]) {
    const answer = await stated('/guarded/f', text)
    assert.equal(answer.status, 401, what)
    assert.equal(answer.headers['x-tropos-edge'], undefined, what)
  }
})

test('a statement may be a little old, and signed by any key of the origin', async () => {
  assert.equal((await stated('/guarded/o', signed('/guarded/o', { time: Date.now() - 100_000 }))).status, 200)
  assert.equal((await stated('/guarded/o', signed('/guarded/o', { secret: 'a new one on its way in' }))).status, 200)
})

test('the origin does what is stated: path, headers, cookies', async () => {
  const decided = { p: '/server/told', h: [['=', 'x-echo', 'from the edge']], k: [['who', 'ann'], ['gone', null]] }
  const answer = await ask(origin, '/door', {
    headers: { cookie: 'who=bob; gone=1', 'x-tropos-edge': signed('/door', decided) },
  })
  assert.match(value(answer), /^server-told/)
  assert.match(answer.body, /<p id="echo">from the edge</)
  assert.match(answer.body, /<p id="who">ann</)
  assert.equal(answer.headers['set-cookie'], undefined, 'the edge adds them')
})

test('a statement or another internal header of a client goes no further than the edge', async () => {
  const headers = { 'x-tropos-edge': signed('/guarded/a'), 'x-middleware-subrequest': '1', 'x-original-url': '/plain' }
  assert.equal((await ask(edge, '/guarded/a', { headers })).status, 401)
  const answer = await ask(edge, '/server/i', { headers: { 'x-tropos-edge': signed('/server/i', { h: [['=', 'x-echo', 'forged']] }) } })
  assert.doesNotMatch(answer.body, /forged/)
})

test('what edge and origin say to each other is not sent to visitors', async () => {
  for (const path of ['/isr/t', '/variant/t', '/isr/t', '/plain', '/server/t']) {
    const { raw } = await ask(edge, path)
    assert.doesNotMatch(raw.join('\n').toLowerCase(), /x-tropos-|cache-tag/, path)
  }
})

test('HEAD is answered as GET, without the body, from the origin and from the edge', async () => {
  for (const path of ['/isr/h', '/guarded/h', '/server/h', '/nowhere']) {
    const head = await ask(edge, path, { method: 'HEAD' })
    const get = await ask(edge, path)
    const again = await ask(edge, path, { method: 'HEAD' })
    for (const one of [head, again]) {
      assert.deepEqual([one.status, one.body], [get.status, ''], path)
      assert.equal(one.headers['content-type'], get.headers['content-type'], path)
      assert.equal(one.headers['cache-control'], get.headers['cache-control'], path)
    }
  }
})

test('a public page stays public, and comes from the edge with its age', async () => {
  const first = await ask(edge, '/query/p')
  const second = await hit(edge, '/query/p')
  assert.match(first.headers['cache-control'], /^public, max-age=0, s-maxage=60/)
  assert.ok(!isEdgeHit(first))
  assert.equal(second.headers['cache-control'], first.headers['cache-control'])
  assert.equal(second.headers['cdn-cache-control'], first.headers['cdn-cache-control'])
  assert.match(second.headers.age, /^\d+$/)
  assert.equal(second.headers.etag, first.headers.etag)
})

test('a declared query makes another page, and an undeclared one does not', async () => {
  const pages = ['/query/q', '/query/q?page=1', '/query/q?page=1&utm=x', '/query/q?page=2', '/query/q?utm=y&page=2']
  for (let round = 0; round < 2; round += 1) {
    for (const path of pages) assert.equal(value(await ask(edge, path)), `query-q-${path.includes('page=2') ? 2 : 1} 1`, path)
  }
})

test('a condition is answered at the edge', async () => {
  const page = await hit(edge, '/query/c')
  const again = await ask(edge, '/query/c', { headers: { 'if-none-match': `"x", ${page.headers.etag}` } })
  assert.deepEqual([again.status, again.body], [304, ''])
  assert.equal(again.headers.etag, page.headers.etag)
  assert.equal((await ask(edge, '/query/c', { headers: { 'if-none-match': '"x"' } })).status, 200)
})

test('a stream passes through as it comes', async () => {
  let let_go
  waiting.set('stream-s', new Promise((resolve) => (let_go = resolve)))
  const shell = await ask(edge, '/stream/s', { until: (text) => text.includes('<body') })
  assert.doesNotMatch(shell.body, /stream-s 1/)
  let_go()
  waiting.delete('stream-s')
  assert.match((await ask(edge, '/stream/s')).body, /stream-s/)
})

test('an event stream of a live page passes through, and tells of a change', async () => {
  const page = await ask(edge, '/live/l')
  const stream = /data-live="([^"]*)"/.exec(page.body)[1].replaceAll('&amp;', '&')
  const changed = ask(edge, stream, { until: (text) => text.includes('live-l 2') })
  await new Promise((resolve) => setTimeout(resolve, 300))
  await revalidate(edge, ['live-l'])
  const { status, headers, body } = await changed
  assert.equal(status, 200)
  assert.match(body, /live-l 2/)
  assert.match(headers['content-type'], /^text\/event-stream/)
})

const revalidate = (at, tags) =>
  ask(at, '/_tropos/revalidate', {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ tags }),
  })

test('invalidation passes to the origin by its own token, and not without', async () => {
  assert.equal((await revalidate(edge, ['isr-r'])).status, 200)
  assert.equal((await ask(edge, '/_tropos/revalidate', { method: 'POST', body: '{}' })).status, 401)
})

test('bodies and cookies of writes pass, each cookie in a line of its own', async () => {
  const written = await ask(edge, '/api/db/k', { method: 'POST', body: 'a value of the body' })
  assert.equal(written.status, 204)
  const direct = await ask(origin, '/api/db/k', { method: 'POST', body: 'a value of the body' })
  assert.deepEqual(Object.keys(written.headers).sort(), Object.keys(direct.headers).sort().filter((name) => name !== 'keep-alive'))
  assert.match((await ask(edge, '/db/k')).body, /a value of the body/)
})

test('a redirect of a page is handed on and not followed', async () => {
  const answer = await ask(edge, '/server/away')
  assert.deepEqual([answer.status, answer.headers.location], [307, '/elsewhere'])
})

test('who sees drafts does not get the page of the edge', async () => {
  await hit(edge, '/query/d')
  const answer = await ask(edge, '/query/d', { headers: { cookie: 'tropos_draft=x' } })
  assert.ok(!isEdgeHit(answer), answer.headers['cache-status'])
})

test('a purge that is signed takes the page back at the edge, and one that is not does nothing', async () => {
  const purge = (text, at = edge) => ask(at, '/_tropos/purge', { method: 'POST', headers: text ? { 'x-tropos-edge': text } : {} })
  const text = (tags) => signed('/_tropos/purge', { method: 'POST', g: tags })
  await hit(edge, '/query/g')
  for (const bad of [undefined, 'x', signed('/_tropos/purge', { method: 'POST', g: ['query-g'], secret: 'another secret of somebody' }), signed('/guarded/a')]) {
    assert.equal((await purge(bad)).status, 401)
  }
  assert.ok(isEdgeHit(await ask(edge, '/query/g')))
  const answer = await purge(text(['query-g']))
  assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { purged: 1 }])
  assert.ok(!isEdgeHit(await ask(edge, '/query/g')))
  await hit(edge, '/query/g') // What was stored since is good.
  assert.equal((await purge(text(['query-g']), plain)).status, 501, 'without a store')
})

test('without a store to purge in, an entry stays a minute at most', async () => {
  const answer = await hit(plain, '/demand/m')
  assert.match(answer.headers['cache-control'], /s-maxage=31536000/)
  assert.equal(answer.headers['x-put'], 'max-age=60')
})

test('an unknown path is the page for what does not exist, as the origin has it', async () => {
  assert.deepEqual(compared(await ask(edge, '/nowhere/at/all')), compared(await ask(origin, '/nowhere/at/all')))
})

test('what a request costs, beside a Worker without hooks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tropos-bare-'))
  for (const [name, content] of [
    ['index.js', `export default {
      fetch: (request, env) =>
        request.url.endsWith('/at-once') ? new Response('no', { status: 401 }) : env.ORIGIN.fetch(request),
    }`],
    ['hooks.js', ''],
    ['hooks_bg.wasm', Buffer.from('0061736d01000000', 'hex')],
    ['routes.json', '{}'],
  ]) writeFileSync(join(folder, name), content)
  const bare = await startWorkerd({ worker: folder, origin: origin.url })
  const kinds = [
    ['the origin alone', origin, '/nowhere', {}],
    ['a Worker without hooks, passed on', bare, '/nowhere', {}],
    ['a Worker without hooks, answered at once', bare, '/at-once', {}],
    ['hooks, passed on with a statement', edge, '/nowhere', {}],
    ['hooks, refused at the edge', edge, '/guarded/cost', {}],
    ['hooks, a hit at the edge', edge, '/variant/cost', { headers: { cookie: 'ab=a' } }],
  ].map((kind) => [...kind, []])
  // In turns, so that what else the machine does falls on all alike.
  for (let turn = 0; turn < 400; turn += 1) {
    for (const [, at, path, options, took] of kinds) {
      const began = performance.now()
      await ask(at, path, options)
      if (turn >= 100) took.push(performance.now() - began)
    }
  }
  const median = ([, , , , took]) => took.toSorted((a, b) => a - b)[took.length / 2]
  for (const kind of kinds) console.log(`${kind[0]}: ${median(kind).toFixed(2)} ms in the median`)
  const [, passed, atOnce, told, refused, cached] = kinds.map(median)
  for (const [name, one, other] of [
    ['passed on, by a Worker without hooks', told, passed],
    ['refused, by a Worker that answers at once', refused, atOnce],
    ['a hit, by a Worker that answers at once', cached, atOnce],
  ]) console.log(`hooks, ${name}: ${(one / other).toFixed(2)} times`)
  console.log(`workerd without hooks answers ${Math.round(bare.took)} ms after its start`)
  await bare.stop()
  rmSync(folder, { recursive: true })
})
