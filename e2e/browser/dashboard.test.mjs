// The dashboard in Chromium, on the storefront. Needs its debug build (`cargo build -p storefront`); `DEV_APP` names another place of
// it. `DASHBOARD_SHOTS` names a folder for pictures.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './app-server.mjs'
import { launch } from './chromium.mjs'
import { checkOut } from './shop.mjs'

const program = process.env.DEV_APP ?? fileURLToPath(new URL('../../target/debug/storefront', import.meta.url))
const shots = process.env.DASHBOARD_SHOTS

const SECTIONS = ['', '/traces', '/slowest', '/cache', '/database', '/live', '/business']

let browser, app

/** A page that tells what went wrong in it; what a policy forbids is among that. */
async function open(path, options = {}) {
  const context = await browser.newContext({ baseURL: app.admin, viewport: { width: 1200, height: 800 }, ...options })
  const page = await context.newPage()
  page.problems = []
  page.on('pageerror', (error) => page.problems.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()))
  await page.goto(path)
  return page
}

const followed = (page) => page.waitForSelector('html[data-tropos-live=open]')
const ask = async (path) => (await fetch(app.url + path)).text()

async function traffic() {
  const home = await ask('/')
  const colours = [...new Set([...home.matchAll(/href="(\/colour\/[a-z0-9-]+)"/g)].map(([, href]) => href))]
  for (const path of ['/', ...colours.slice(0, 12), '/', ...colours.slice(0, 12), '/office', '/basket', '/no-such-page']) await ask(path)
}

/** Buys a tin by plain forms. */
async function buy() {
  const context = await browser.newContext({ baseURL: app.url, javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto('/')
  await page.goto(await page.getAttribute('a[href^="/colour/"]', 'href'))
  await page.click('.buy form button')
  await checkOut(page)
  await context.close()
}

describe('the dashboard', () => {
  before(async () => {
    assert.ok(existsSync(program), `${program} is there: cargo build -p storefront`)
    app = await start(program, { TROPOS_DASHBOARD: '1', TROPOS_SLOW_TRACE_MS: '20' })
    browser = await launch()
  })

  after(async () => {
    await browser?.close()
    await app?.stop()
  })

  test('a request appears in the open page without a reload', async () => {
    const page = await open('/dashboard')
    await followed(page)
    await page.evaluate(() => (window.stays = true))
    await ask('/no-such-page-yet')
    await page.waitForFunction(() => document.querySelector('#requests')?.textContent.includes('/no-such-page-yet'))
    assert.equal(await page.evaluate(() => window.stays), true)
    assert.deepEqual(page.problems, [])
    await page.context().close()
  })

  test('a trace leads to its spans, and what was opened stays open while the page is followed', async () => {
    await traffic()
    const page = await open('/dashboard/traces')
    await page.click('#traces tbody a')
    await page.waitForSelector('.spans li')
    await followed(page)
    await page.click('.spans li:first-child summary')
    // A request of the same trace: the page is sent what is new in it.
    const id = page.url().split('/').pop()
    await fetch(`${app.url}/no-such-page`, { headers: { traceparent: `00-${id}-b7ad6b7169203331-01` } })
    await page.waitForFunction(() => document.querySelectorAll('.waterfall').length > 1)
    assert.ok(await page.isVisible('.spans li:first-child .facts'))
    // Drawn by attributes, which the policy must allow.
    const width = await page.evaluate(() => document.querySelector('.track i').getBoundingClientRect().width)
    assert.ok(width > 50, `the first span is as long as the whole: ${width}`)
    assert.deepEqual(page.problems, [])
    await page.context().close()
  })

  test('the button invalidates, with script and without', async () => {
    for (const javaScriptEnabled of [true, false]) {
      await traffic()
      const page = await open('/dashboard/cache', { javaScriptEnabled })
      const row = page.locator('#tags tbody tr').first()
      assert.ok(await row.count(), 'something carries a tag')
      await row.locator('button').click()
      await page.waitForSelector('[role=status]')
      assert.match(page.url(), /invalidated=\d+$/)
      assert.deepEqual(page.problems, [])
      await page.context().close()
    }
  })

  test('an order is seen beside latency', async () => {
    await buy()
    const page = await open('/dashboard/business')
    assert.match(await page.locator('#figures').innerText(), /orders/)
    assert.match(await page.locator('#minutes').innerText(), /p95/)
    await page.context().close()
  })

  test('nothing is wider than a phone', async () => {
    for (const section of SECTIONS) {
      const page = await open(`/dashboard${section}`, { viewport: { width: 390, height: 800 } })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      assert.ok(wide <= 0, `${section || '/'} is ${wide} pixels too wide`)
      await page.context().close()
    }
  })

  test('what is written has a contrast of 4.5 at least, light and dark', async () => {
    await traffic()
    for (const colorScheme of ['light', 'dark']) {
      for (const section of SECTIONS) {
        const page = await open(`/dashboard${section}`, { colorScheme })
        assert.deepEqual(await page.evaluate(lowContrast), [], `${section || '/'} ${colorScheme}`)
        await page.context().close()
      }
    }
  })

  test('pictures of each section', { skip: !shots }, async () => {
    mkdirSync(shots, { recursive: true })
    await buy()
    await traffic()
    const reader = await browser.newContext({ baseURL: app.url })
    const live = await reader.newPage()
    await live.goto('/board')
    await live.waitForSelector('html[data-tropos-live=open]')
    for (const [name, options] of Object.entries({
      light: { colorScheme: 'light' },
      dark: { colorScheme: 'dark' },
      phone: { colorScheme: 'light', viewport: { width: 390, height: 800 } },
    })) {
      for (const section of SECTIONS) {
        const page = await open(`/dashboard${section}`, options)
        await page.screenshot({ path: join(shots, `${section.slice(1) || 'requests'}-${name}.png`), fullPage: false })
        await page.context().close()
      }
      const page = await open('/dashboard/traces', options)
      const most = await page.evaluate(() => {
        const rows = [...document.querySelectorAll('#traces tbody tr')]
        const spans = (row) => Number(row.children[4].textContent)
        return rows.sort((a, b) => spans(b) - spans(a))[0].querySelector('a').getAttribute('href')
      })
      await page.goto(most)
      await page.evaluate(() => document.querySelector('.spans li:nth-child(2) details')?.setAttribute('open', ''))
      await page.screenshot({ path: join(shots, `trace-${name}.png`), fullPage: false })
      await page.context().close()
    }
    await reader.close()
  })
})

/** Texts whose contrast with what is behind them is too low (WCAG 2.2, 1.4.3). Runs in the page. */
function lowContrast() {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number)
  const light = (color) => {
    const [r, g, b] = numbers(color).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor
      if (numbers(color)[3] !== 0) return color
    }
    return 'rgb(255, 255, 255)'
  }
  const low = []
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue.trim())
    if (!own || !element.checkVisibility()) continue
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((one, other) => other - one)
    const contrast = (a + 0.05) / (b + 0.05)
    if (contrast < 4.5) low.push(`${element.textContent.trim().slice(0, 40)}: ${contrast.toFixed(2)}`)
  }
  return [...new Set(low)]
}
