// The toolbar of development in Chromium, on the storefront as the dev server would start it. Needs its debug build
// (`cargo build -p storefront`); `DEV_APP` names another place of it. `TOOLBAR_SHOTS` names a folder for pictures.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './app-server.mjs'
import { launch } from './chromium.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const program = process.env.DEV_APP ?? here('../../target/debug/storefront')
const script = readFileSync(here('../../framework/dev/src/client/toolbar.js'))
const TAG = '<script type="module" src="/_tropos/dev/toolbar.js"></script>'

/** What of the dev server the toolbar needs: its script in each page, and a way to the admin listener. */
function proxy(app) {
  const hand = (incoming, outgoing, base, path) => {
    const { host, ...headers } = incoming.headers
    const asked = request(base + path, { method: incoming.method, headers }, (answer) => {
      const html = String(answer.headers['content-type']).startsWith('text/html')
      if (!html) {
        outgoing.writeHead(answer.statusCode, answer.headers)
        return answer.pipe(outgoing)
      }
      const { 'content-length': _, ...kept } = answer.headers
      outgoing.writeHead(answer.statusCode, kept)
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => outgoing.end(Buffer.concat(parts).toString().replace('</head>', `${TAG}</head>`)))
    })
    incoming.pipe(asked)
    asked.on('error', () => outgoing.destroy())
  }
  const server = createServer((incoming, outgoing) => {
    const { url } = incoming
    if (url === '/_tropos/dev/toolbar.js') {
      return outgoing.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    }
    const own = url.startsWith('/_tropos/dev/app/')
    hand(incoming, outgoing, own ? app.admin : app.url, own ? url.replace('/_tropos/dev/app', '/dev') : url)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

let browser, app, server, base, folder

describe('the toolbar', () => {
  before(async () => {
    assert.ok(existsSync(program), `${program} is there: cargo build -p storefront`)
    folder = mkdtempSync(join(tmpdir(), 'tropos-dev-'))
    app = await start(program, { TROPOS_DEV: folder })
    server = await proxy(app)
    base = `http://127.0.0.1:${server.address().port}`
    browser = await launch()
  })

  after(async () => {
    await browser?.close()
    server?.closeAllConnections()
    server?.close()
    await app?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A page with the toolbar filled, and what went wrong in it. */
  async function open(path, options = {}) {
    const context = await browser.newContext({ baseURL: base, viewport: { width: 1100, height: 800 }, ...options })
    const page = await context.newPage()
    page.problems = []
    page.on('pageerror', (error) => page.problems.push(String(error)))
    await page.goto(path)
    await filled(page)
    return page
  }

  const filled = (page) => page.waitForSelector('tropos-toolbar #toggle .mode')
  const toggle = (page) => page.locator('tropos-toolbar #toggle')
  const panel = (page) => page.locator('tropos-toolbar #panel')

  test('it shows mode and outcome, opens by keyboard, and stays open on the next page', async () => {
    const page = await open('/')
    assert.match(await toggle(page).innerText(), /^(isr|ssg|server|live)\s+(miss|hit|rendered)/)
    assert.equal(await panel(page).isVisible(), false)
    await toggle(page).focus()
    await page.keyboard.press('Enter')
    assert.equal(await panel(page).isVisible(), true)
    assert.equal(await toggle(page).getAttribute('aria-expanded'), 'true')
    assert.match(await panel(page).innerText(), /examples\/storefront\/src\/pages/)
    await page.reload()
    await filled(page)
    assert.equal(await panel(page).isVisible(), true, 'remembered')
    await toggle(page).focus()
    await page.keyboard.press('Escape')
    assert.equal(await panel(page).isVisible(), false)
    assert.deepEqual(page.problems, [])
  })

  test('a miss shows its queries, a hit those of the render that made it; a tag is invalidated by its button', async () => {
    const page = await open('/')
    const href = await page.getAttribute('a[href^="/colour/"]', 'href')
    await page.goto(href)
    await filled(page)
    await toggle(page).click()
    const text = () => panel(page).innerText()
    assert.match(await text(), /Queries \(\d+, /)
    await page.reload()
    await filled(page)
    assert.match(await toggle(page).innerText(), /hit/)
    assert.match(await text(), /Made .+ ago by render \d+/)
    assert.match(await text(), /Queries \(\d+, /)
    const before = await page.evaluate(() => performance.timeOrigin)
    await panel(page).locator('button[data-tag]').first().click()
    await page.waitForFunction((before) => performance.timeOrigin !== before, before)
    await filled(page)
    assert.match(await toggle(page).innerText(), /miss/)
    assert.match(await text(), /has been invalidated/)
  })

  test('what is printed has no toolbar, and neither has a frame', async () => {
    const page = await open('/')
    await page.emulateMedia({ media: 'print' })
    assert.equal(await toggle(page).isVisible(), false)
    await page.emulateMedia({ media: 'screen' })
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      frame.src = '/'
      document.body.append(frame)
      return new Promise((resolve) => frame.addEventListener('load', resolve))
    })
    await page.waitForTimeout(300)
    assert.equal(await page.frames()[1].locator('tropos-toolbar').count(), 0)
  })

  test('repeated statements, slow ones and findings are pointed out', async () => {
    const page = await open('/')
    const work = (at) => ({ id: at, parent: null, kind: 'query', name: 'SELECT a', text: 'select <b> from a where id = $1', server: 'db:1', rows: 1, status: null, cache: null, error: null, start_ms: at, took_ms: at === 1 ? 80 : 0.4 })
    await page.route('**/_tropos/dev/app/renders/*', async (route) => {
      const answer = await route.fetch()
      const render = await answer.json()
      return route.fulfill({ json: { ...render, made_by: null, trace: 'ab'.repeat(16), work: [1, 2, 3, 4, 5, 6].map(work) } })
    })
    await page.route('**/_tropos/dev/app/advice', async (route) => {
      const { routes } = await (await route.fetch()).json()
      const finding = { rule: 'too-short', reason: 'stale at each of 40 reads', advice: 'give it a longer `revalidate`', saving: null }
      return route.fulfill({ json: { routes, findings: routes.map(({ pattern }) => ({ ...finding, pattern })) } })
    })
    await page.reload()
    await filled(page)
    await toggle(page).click()
    const text = await panel(page).innerText()
    assert.match(text, /The same statement ran 6 times in one render/)
    assert.match(text, /select <b> from a/, 'as text, never as HTML')
    assert.match(text, /slow/)
    assert.match(text, /Advice: give it a longer/)
    assert.equal(await panel(page).locator('#trace').innerText(), 'ab'.repeat(16))
    assert.match(await toggle(page).innerText(), /advice/)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      const [text, back] = await panel(page).evaluate((panel) => [getComputedStyle(panel).color, getComputedStyle(panel).backgroundColor])
      assert.notEqual(text, back)
      if (process.env.TOOLBAR_SHOTS) await page.screenshot({ path: join(process.env.TOOLBAR_SHOTS, `toolbar-${colorScheme}.png`) })
    }
  })

  test('it opens the page\'s source, and says what islands weigh', async () => {
    const page = await open('/')
    const posts = []
    await page.route('**/_tropos/dev/open', (route) => {
      posts.push(route.request().postDataJSON())
      return route.fulfill({ status: 204, body: '' })
    })
    await page.route('**/_tropos/dev/app/renders/*', async (route) => {
      const render = await (await route.fetch()).json()
      const islands = [{ name: 'Basket', count: 1, props_bytes: 12 }]
      const islands_files = { script_bytes: 21_500, wasm_bytes: 3_420_000 }
      return route.fulfill({ json: { ...render, islands, islands_files, source: 'src/pages/home.rs:7' } })
    })
    await page.reload()
    await filled(page)
    await toggle(page).click()
    assert.match(await panel(page).locator('#islands-files').innerText(), /script of 21.5 kB and one wasm of 3.4 MB/)
    await panel(page).getByRole('button', { name: 'src/pages/home.rs:7' }).click()
    await page.waitForTimeout(50)
    assert.deepEqual(posts, [{ file: 'src/pages/home.rs', line: 7 }])
  })

  test('a page that the application does not know any more says so', async () => {
    const page = await open('/')
    await page.route('**/_tropos/dev/app/renders/*', (route) => route.fulfill({ status: 404, body: '' }))
    await page.reload()
    await page.waitForFunction(() => document.querySelector('tropos-toolbar')?.shadowRoot.querySelector('#toggle').textContent.includes('not known any more'))
  })
})
