// The fixture in Chromium: an island that works, a page without script, a page that changes while it is open.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './app-server.mjs'
import { launch } from './chromium.mjs'

const program = fileURLToPath(new URL('../fixture/dist/tropos-fixture', import.meta.url))

let browser, upstream, app
const values = new Map()

before(async () => {
  upstream = createServer((request, response) => {
    const key = decodeURIComponent(request.url.replace('/v/', ''))
    response.end(values.get(key) ?? `${key}=0`)
  })
  await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  app = await start(program, {
    UPSTREAM_URL: `http://127.0.0.1:${upstream.address().port}`,
    TROPOS_REVALIDATE_TOKEN: 'token',
  })
  browser = await launch()
})

after(async () => {
  await browser?.close()
  const code = await app?.stop()
  upstream?.closeAllConnections()
  upstream?.close()
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
