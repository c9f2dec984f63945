// The fixture under a strict content security policy: below `/strict`, each page as it is without it. Nothing that Tropos sends
// is refused, and what somebody smuggled in is.

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

/** A page that gathers what its policy refused, and what else went wrong in it. */
async function open(path, prepare = () => {}) {
  const page = await browser.newPage()
  page.problems = []
  page.on('pageerror', (error) => page.problems.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()))
  await page.addInitScript(() => {
    window.refused = []
    document.addEventListener('securitypolicyviolation', (event) =>
      window.refused.push(`${event.effectiveDirective} ${event.blockedURI}`),
    )
  })
  await prepare(page)
  const answer = await page.goto(app.url + path)
  page.policy = answer.headers()['content-security-policy'] ?? ''
  assert.match(page.policy, /default-src 'self'/, path)
  assert.doesNotMatch(page.policy, /unsafe-inline/)
  return page
}

const refused = (page) => page.evaluate(() => window.refused)

async function isClean(page) {
  assert.deepEqual(await refused(page), [])
  assert.deepEqual(page.problems, [])
  await page.close()
}

test('an island of a stored page hydrates by the hashes of what is inline, again after a reload', async () => {
  const page = await open('/strict/island')
  assert.match(page.policy, /script-src [^;]*'sha256-/)
  assert.doesNotMatch(page.policy, /nonce/)
  for (let round = 0; round < 2; round += 1) {
    await page.waitForSelector('html[data-tropos-hydrated]')
    await page.click('#counter')
    assert.equal(await page.textContent('#counter'), '1')
    assert.deepEqual(await refused(page), [])
    if (round === 0) await page.reload()
  }
  await isClean(page)
})

test('a streamed part replaces its placeholder by a script with the nonce of this answer alone', async () => {
  const policies = []
  for (let round = 0; round < 2; round += 1) {
    const page = await open('/strict/stream/policy')
    await page.waitForSelector('#value')
    assert.equal(await page.textContent('#value'), 'stream-policy=0')
    assert.equal(await page.$('#waiting'), null)
    policies.push(page.policy.match(/'nonce-([^']+)'/)[1])
    await isClean(page)
  }
  assert.notEqual(policies[0], policies[1])
})

test('a live page follows its data', async () => {
  const page = await open('/strict/live/policy')
  assert.match(page.policy, /'nonce-/)
  await page.waitForSelector('html[data-tropos-live="open"]')
  for (const value of ['one', 'two <script>alert(1)</script>', 'three']) {
    values.set('live-policy', value)
    const answer = await fetch(`${app.url}/_tropos/revalidate`, {
      method: 'POST',
      headers: { authorization: 'Bearer token' },
      body: JSON.stringify({ tags: ['live-policy'] }),
    })
    assert.equal(answer.status, 200)
    await page.waitForFunction((value) => document.querySelector('#value').textContent === value, value)
  }
  await isClean(page)
})

test('a page that is made at the first request names its scripts in every answer, and has none where it has no script', async () => {
  for (const headers of [{}, {}]) {
    const answer = await fetch(`${app.url}/strict/isr/policy`, { headers })
    assert.match(answer.headers.get('content-security-policy'), /script-src 'self' 'wasm-unsafe-eval';/)
    const etag = answer.headers.get('etag')
    const same = await fetch(`${app.url}/strict/isr/policy`, { headers: { 'if-none-match': etag } })
    assert.equal(same.status, 304)
    assert.equal(same.headers.get('content-security-policy'), answer.headers.get('content-security-policy'))
  }
  await isClean(await open('/strict/isr/policy'))
})

// What somebody brought into the text of a page: it came with the answer, and knows neither nonce nor hash.
for (const path of ['/strict/island', '/strict/server/policy', '/strict/live/smuggled']) {
  test(`a script that was smuggled into ${path} is refused`, async () => {
    const smuggle = (page) =>
      page.route(app.url + path, async (route) => {
        const response = await route.fetch()
        const text = await response.text()
        const script = '<script>window.smuggled = 1</script><img src="data:," onerror="window.smuggled = 2">'
        await route.fulfill({ response, body: text.replace('</main>', `${script}</main>`).replace('</button>', `</button>${script}`) })
      })
    const page = await open(path, smuggle)
    await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'window.smuggled = 3'
      document.body.append(script)
    })
    await page.waitForFunction(() => window.refused.length >= 3)
    assert.deepEqual([...new Set(await refused(page))].sort(), ['script-src-attr inline', 'script-src-elem inline'])
    assert.equal(await page.evaluate(() => window.smuggled), undefined)
    await page.close()
  })
}
