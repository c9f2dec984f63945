// The storefront in Chromium: islands, forms without script, who gets into the back office, and a price that is followed
// wherever it is shown.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from './app-server.mjs'
import { launch } from './chromium.mjs'
import { checkOut } from './shop.mjs'

const program = fileURLToPath(new URL('../../examples/storefront/dist/storefront', import.meta.url))

let browser, app, item

before(async () => {
  app = await start(program)
  browser = await launch()
  // A colour that is bought much, and of which there is enough for every test.
  const office = await (await fetch(`${app.url}/office`, { headers: { cookie: await session() } })).text()
  const rows = office.split('<tr').map((row) => ({
    href: row.match(/href="(\/colour\/[a-z0-9-]+)"/)?.[1],
    stock: Number(row.match(/name="stock"[^>]*?value="(\d+)"/)?.[1] ?? 0),
  }))
  item = rows.find((row) => row.href && row.stock > 40).href
})

after(async () => {
  await browser?.close()
  assert.equal((await app?.stop()) ?? 0, 0, 'the server ends in order')
})

/** A visitor with a basket of their own. */
async function visitor(options = {}) {
  const context = await browser.newContext({ baseURL: app.url, ...options })
  const page = await context.newPage()
  page.problems = []
  page.on('pageerror', (error) => page.problems.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && page.problems.push(message.text()))
  return page
}

/** The cookie of somebody who has signed in to the back office. */
async function session() {
  const answer = await fetch(`${app.url}/api/staff/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' },
    body: 'name=clerk&password=raw-umber',
  })
  return answer.headers.getSetCookie()[0].split(';')[0]
}

/** Goes to a page of the back office by way of the sign-in page, with a name and password that stand there. */
async function enter(page, path, name = 'clerk') {
  await page.goto(path)
  const key = page.locator('.keys dl > div', { hasText: name })
  await page.fill('input[name=name]', await key.locator('dt').textContent())
  await page.fill('input[name=password]', await key.locator('code').textContent())
  await submit(page, '.checkout button')
}

const hydrated = (page) => page.waitForSelector('html[data-tropos-hydrated]')

describe('with script', () => {
  test('a tin goes into the basket without a reload, and the header counts it', async () => {
    const page = await visitor()
    await page.goto(item)
    await hydrated(page)
    await page.evaluate(() => (window.stays = true))
    await page.fill('.buy input[name=quantity]', '2')
    await page.click('.buy form button')
    await page.waitForFunction(() => document.querySelector('.basket-link .count')?.textContent === '2')
    assert.equal(await page.evaluate(() => window.stays), true)
    await page.goto('/basket')
    assert.match(await page.textContent('main'), /€/)
    assert.equal(await page.locator('ul.lines > li').count(), 1)
    assert.deepEqual(page.problems, [])
    await page.context().close()
  })

  test('the search field suggests while one types, and the keys choose', async () => {
    const page = await visitor()
    await page.goto('/search')
    await hydrated(page)
    await page.locator('main form.search input, form.search input').first().pressSequentially('blue')
    await page.waitForSelector('ul.suggest > li')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/colour\//)
    assert.deepEqual(page.problems, [])
    await page.context().close()
  })

  test('the room says how many tins its walls take', async () => {
    const page = await visitor()
    await page.goto(item)
    await hydrated(page)
    const before = await page.textContent('.room .tins')
    await page.locator('.room .tins input').evaluate((input) => {
      input.value = input.max || '90'
      input.dispatchEvent(new Event('input', { bubbles: true }))
    })
    await page.waitForFunction((before) => document.querySelector('.room .tins').textContent !== before, before)
    assert.deepEqual(page.problems, [])
    await page.context().close()
  })
})

test('a visitor stays on the side of the experiment that they were given', async () => {
  // Browsers that tests drive say that they are headless, and count as crawlers.
  const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
  const page = await visitor({ userAgent })
  const side = async () => {
    await page.goto(item)
    await hydrated(page)
    return page.textContent('.price small')
  }
  const first = await side()
  assert.match(first, /^(2\.5 litres|€\d+\.\d\d a square metre), tax included$/)
  assert.equal(await side(), first)
  const [cookie] = (await page.context().cookies()).filter(({ name }) => name === 'per')
  assert.equal(cookie.value, first.startsWith('2.5') ? 'tin' : 'metre')
  assert.deepEqual(page.problems, [])
  await page.context().close()
})

test('home and about carry no script at all', async () => {
  const page = await visitor()
  for (const path of ['/', '/about']) {
    await page.goto(path)
    assert.equal(await page.evaluate(() => document.scripts.length), 0, path)
  }
  await page.context().close()
})

test('a price that the back office changes is on the item page at once, and on the open board without a reload', async () => {
  const board = await visitor()
  await board.goto('/board')
  await board.waitForSelector('html[data-tropos-live="open"]')
  await board.evaluate(() => (window.stays = true))
  const row = `tr[data-key="${item.split('/').pop()}"]`
  const office = await visitor()
  await enter(office, '/office')
  for (const price of ['31.07', '32.08']) {
    await office.goto('/office')
    const form = office.locator('tr', { has: office.locator(`a[href="${item}"]`) })
    await form.locator('input[name=price]').fill(price)
    await form.locator('button').click()
    await office.waitForSelector('.flash')
    const page = await (await fetch(app.url + item)).text()
    assert.ok(page.includes(`€${price}`), `the item page shows €${price}`)
    await board.waitForFunction(
      ([row, price]) => document.querySelector(row)?.textContent.includes(price),
      [row, price],
    )
  }
  assert.equal(await board.evaluate(() => window.stays), true, 'the board was never loaded again')
  assert.deepEqual(board.problems, [])
  await board.context().close()
  await office.context().close()
})

test('an order appears on the open board, and takes its tins from the stock', async () => {
  const board = await visitor()
  await board.goto('/board')
  await board.waitForSelector('html[data-tropos-live="open"]')
  const left = () => board.textContent(`tr[data-key="${item.split('/').pop()}"] .stock-n`)
  const before = Number((await left()).replace(/\D/g, ''))
  const buyer = await visitor({ javaScriptEnabled: false })
  await order(buyer, 3)
  await board.waitForSelector('.feed li')
  await board.waitForFunction(
    ([row, expected]) => Number(document.querySelector(row).textContent.replace(/\D/g, '')) === expected,
    [`tr[data-key="${item.split('/').pop()}"] .stock-n`, before - 3],
  )
  await board.context().close()
  await buyer.context().close()
})

/** Presses a button that leads to another page, and waits for that. */
async function submit(page, button) {
  await Promise.all([page.waitForEvent('load'), page.locator(button).first().click()])
}

/** Buys so many tins with plain forms. */
async function order(page, tins) {
  await page.goto(item)
  await page.fill('.buy input[name=quantity]', String(tins))
  await submit(page, '.buy form button')
  await checkOut(page)
}

describe('without script', () => {
  test('a basket is filled, changed, emptied and ordered by plain forms', async () => {
    const page = await visitor({ javaScriptEnabled: false })
    await page.goto(item)
    await page.fill('.buy input[name=quantity]', '3')
    await submit(page, '.buy form button')
    const holds = (tins) => page.waitForSelector(`ul.lines input[name=quantity][value="${tins}"]`)
    await holds(3)
    await page.fill('ul.lines input[name=quantity]', '2')
    await page.click('ul.lines button:has-text("Update")')
    await holds(2)
    await page.click('ul.lines button:has-text("Remove")')
    await page.waitForSelector('ul.lines', { state: 'detached' })
    await order(page, 1)
    assert.equal(await page.locator('.receipt').count(), 1)
    await page.context().close()
  })

  test('an order is its own visitor’s alone', async () => {
    const page = await visitor({ javaScriptEnabled: false })
    await order(page, 1)
    const answer = await fetch(page.url())
    assert.equal(answer.status, 404)
    await page.context().close()
  })

  test('search and back office work', async () => {
    const page = await visitor({ javaScriptEnabled: false })
    await page.goto('/search?q=blue')
    // Results are streamed; without script the page asks for them whole.
    await page.waitForSelector('li.card a')
    assert.ok((await page.locator('li.card a').count()) > 3)
    await enter(page, '/office?q=blue')
    assert.equal(new URL(page.url()).search, '?q=blue')
    await page.locator('tbody input[name=stock]').first().fill('7')
    await submit(page, 'tbody button')
    assert.match(await page.textContent('.flash'), /Saved.*7 in stock/)
    await page.context().close()
  })

  test('a wrong password is refused in words, a trainee cannot save, and who has signed out is out', async () => {
    const page = await visitor({ javaScriptEnabled: false })
    await page.goto('/office')
    assert.equal(new URL(page.url()).pathname, '/sign-in')
    await page.fill('input[name=name]', 'clerk')
    await page.fill('input[name=password]', 'guessed')
    await submit(page, '.checkout button')
    assert.match(await page.textContent('.flash'), /do not go together/)
    await enter(page, '/office', 'trainee')
    assert.match(await page.textContent('.who'), /Signed in as trainee/)
    assert.equal(await page.locator('tbody button:not([disabled])').count(), 0)
    await submit(page, '.who button')
    assert.match(await page.textContent('.flash'), /signed out/)
    await page.goto('/office')
    assert.equal(new URL(page.url()).pathname, '/sign-in')
    await page.context().close()
  })
})

test('what was made at build is a hit at the first request, also where a query is declared', async () => {
  const fresh = await start(program)
  // At build a page is made for the experiment's control.
  const headers = { cookie: 'per=tin' }
  for (const path of [item, '/family/teals', '/about']) {
    const answer = await fetch(fresh.url + path, { headers })
    assert.match(answer.headers.get('cache-status'), /^tropos; hit; /, path)
  }
  await fresh.stop()
})

test('no page is wider than a phone', async () => {
  const page = await visitor({ viewport: { width: 390, height: 844 } })
  await page.goto('/sign-in')
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  assert.ok((await overflow()) <= 0, 'the sign-in page')
  await enter(page, '/office')
  for (const path of ['/', '/about', '/family/blues', item, '/search?q=blue', '/basket', '/board', '/office', '/missing']) {
    await page.goto(path)
    const wide = await overflow()
    assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`)
  }
  await page.context().close()
})
