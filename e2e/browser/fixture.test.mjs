// The fixture in Chromium: an island that works, a page without script, a page that changes while it is open.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './app-server.mjs'
import { launch } from './chromium.mjs'

const program = fileURLToPath(new URL('../fixture/dist/tropos-fixture', import.meta.url))

let browser, upstream, sentry, app
const values = new Map()
const envelopes = []

before(async () => {
  upstream = createServer((request, response) => {
    const key = decodeURIComponent(request.url.replace('/v/', ''))
    response.end(values.get(key) ?? `${key}=0`)
  })
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  // Takes envelopes as Sentry does.
  sentry = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    envelopes.push({ url: request.url, auth: request.headers['x-sentry-auth'], body })
    response.end('{}')
  })
  await new Promise((resolve) => sentry.listen(0, '127.0.0.1', resolve))
  app = await start(program, {
    SENTRY_DSN: `http://key@127.0.0.1:${sentry.address().port}/7`,
    UPSTREAM_URL: `http://127.0.0.1:${upstream.address().port}`,
    TROPOS_REVALIDATE_TOKEN: 'token',
  })
  browser = await launch()
})

after(async () => {
  await browser?.close()
  const code = await app?.stop()
  for (const server of [upstream, sentry]) {
    server?.closeAllConnections()
    server?.close()
  }
  assert.equal(code ?? 0, 0, 'the server ends in order')
})

/** A page that gathers what went wrong in it. */
async function open(path, options) {
  const page = await browser.newPage(options)
  page.problems = []
  page.requests = []
  page.on('pageerror', (error) => page.problems.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()))
  page.on('request', (request) => page.requests.push(request.url()))
  await page.goto(app.url + path)
  return page
}

const revalidate = (tag) =>
  fetch(`${app.url}/_tropos/revalidate`, {
    method: 'POST',
    headers: { authorization: 'Bearer token' },
    body: JSON.stringify({ tags: [tag] }),
  })

test('an island counts', async () => {
  const page = await open('/island')
  await page.waitForSelector('html[data-tropos-hydrated]')
  await page.click('#counter')
  await page.click('#counter')
  assert.equal(await page.textContent('#counter'), '2')
  assert.deepEqual(page.problems, [])
  await page.close()
})

test('an island that panics is reported once, with its message and stack, and without what is personal', async () => {
  const page = await open('/island-panics?q=planted-query#planted-fragment')
  await page.waitForSelector('html[data-tropos-hydrated]')
  await page.click('#panic')
  for (let tries = 0; tries < 200 && envelopes.length === 0; tries += 1) await page.waitForTimeout(50)
  await page.waitForTimeout(500)
  assert.equal(envelopes.length, 1)
  const [{ url, auth, body }] = envelopes
  assert.equal(url, '/api/7/envelope/')
  assert.match(auth, /sentry_key=key/)
  assert.ok(!body.includes('planted'), body)
  const event = JSON.parse(body.split('\n')[2])
  const [exception] = event.exception.values
  assert.deepEqual([event.tags['tropos.kind'], event.tags['http.route'], exception.type], ['browser', '/island-panics', 'panic'])
  assert.match(exception.value, /panicked at .*islands\.rs:\d+.*on purpose, for \[email\]/s)
  assert.ok(exception.stacktrace.frames.some((frame) => /wasm/.test(frame.filename ?? '')), body)
  assert.match(event.release, /^tropos-fixture@/)
  await page.close()
})

test('a page without islands asks for no script and no wasm', async () => {
  const page = await open('/plain')
  assert.equal(await page.evaluate(() => document.scripts.length), 0)
  assert.deepEqual(page.requests.filter((url) => /\.(js|wasm)/.test(url)), [])
  await page.close()
})

test('what is streamed replaces its placeholder', async () => {
  const page = await open('/stream/browser')
  await page.waitForSelector('#value')
  assert.equal(await page.textContent('#value'), 'stream-browser=0')
  assert.equal(await page.$('#waiting'), null)
  await page.close()
})

test('a live page shows what was invalidated, without a reload', async () => {
  const page = await open('/live/browser')
  await page.evaluate(() => (window.stays = true))
  await page.waitForSelector('html[data-tropos-live="open"]')
  for (const value of ['one', 'two 𝄞 <b>', 'three']) {
    values.set('live-browser', value)
    assert.equal((await revalidate('live-browser')).status, 200)
    await page.waitForFunction((value) => document.querySelector('#value').textContent === value, value)
  }
  assert.equal(await page.evaluate(() => window.stays), true, 'it was never loaded again')
  assert.deepEqual(page.problems, [])
  await page.close()
})
