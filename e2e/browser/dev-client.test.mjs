// The scripts that the dev server adds to a page, in Chromium: patches, styles, overlay, what is kept over a load.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { launch } from './chromium.mjs'
import { listen, marked, patches } from './dev-server.mjs'

let browser, server, page, errors
const times = []

before(async () => {
  browser = await launch()
})
after(async () => {
  await browser?.close()
  console.log('\nfrom the event to the change in the page:')
  for (const [what, time] of times) console.log(`  ${what.padEnd(40)} ${time.toFixed(1)} ms`)
})

beforeEach(async () => {
  server = await listen()
  page = await browser.newPage()
  errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
})
afterEach(async () => {
  await page.close()
  server.close()
})

/** Opens a page, and waits until it follows the events. */
async function open(body, head = '') {
  server.body = body
  server.head = head
  await page.goto(server.url)
  await followed()
}

async function followed() {
  while (server.streams.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Sends an event; gives what the page did of it. */
async function send(event, what) {
  await page.evaluate((kind) => {
    globalThis.done = new Promise((resolve) =>
      document.addEventListener('tropos:dev', function on({ detail }) {
        if (detail.kind !== kind) return
        document.removeEventListener('tropos:dev', on)
        resolve({ ...detail, at: performance.timeOrigin + performance.now() })
      }),
    )
  }, event.kind)
  const start = performance.timeOrigin + performance.now()
  server.send(event)
  const done = await page.evaluate(() => globalThis.done)
  if (what) times.push([what, done.at - start])
  return done
}

const html = (selector) =>
  page.evaluate((selector) => {
    const copy = document.querySelector(selector).cloneNode(true)
    const walker = document.createTreeWalker(copy, NodeFilter.SHOW_COMMENT)
    const comments = []
    while (walker.nextNode()) comments.push(walker.currentNode)
    comments.forEach((comment) => comment.remove())
    return copy.innerHTML
  }, selector)

const view = (body) => `fn page() -> impl IntoView { view! { ${body} } }`
const patch = (old, next) => ({ kind: 'patch', views: patches(view(old), view(next)) })

describe('patches of views', () => {
  const table = [
    ['a text', '<main><p>"a"</p></main>', '<main><p>a</p></main>', '<main><p>"b"</p></main>', '<main><p>b</p></main>'],
    [
      'an element around what Rust made',
      '<main>"Hi " {name} "!"</main>',
      '<main>Hi <!>Ann<!>!</main>',
      '<main><b class="x">{name}</b> "?" <hr/></main>',
      '<main><b class="x">Ann</b>?<hr></main>',
    ],
    [
      'what Rust made changes places',
      '<main><p>{a}</p><p>{b}</p></main>',
      '<main><p>A</p><p>B</p></main>',
      '<main><p>{b}</p><p>{a}</p></main>',
      '<main><p>B</p><p>A</p></main>',
    ],
    ['attributes', '<a href="/a" id="x">"l"</a>', '<a href="/a" id="x">l</a>', '<a href="/b" title="t">"l"</a>', '<a href="/b" title="t">l</a>'],
    ['classes beside a switched one', '<a class="a b" class:on=on/>', '<a class="a b on"></a>', '<a class="c" class:on=on/>', '<a class="c on"></a>'],
    ['an element becomes another', '<main><p>"a"</p></main>', '<main><p>a</p></main>', '<main><ul><li>"a"</li></ul></main>', '<main><ul><li>a</li></ul></main>'],
    [
      'a drawing',
      '<svg viewBox="0 0 1 1"><g>"t"</g></svg>',
      '<svg viewBox="0 0 1 1"><g>t</g></svg>',
      '<svg viewBox="0 0 2 2"><g>"t"</g><path d="M0 0"></path></svg>',
      '<svg viewBox="0 0 2 2"><g>t</g><path d="M0 0"></path></svg>',
    ],
    ['nodes of a fragment', '<i/> {x} "end"', '<i></i>X<!>end', '"start" <b>{x}</b> <i/>', 'start<b>X</b><i></i>'],
  ]
  for (const [name, old, shown, next, expected] of table) {
    test(name, async () => {
      await open(`<div id="root">${marked(1, shown)}</div>`)
      const done = await send(patch(old, next), name)
      assert.deepEqual([done.failed, await html('#root')], [[], expected])
      assert.equal(await page.evaluate(() => [...document.querySelectorAll('#root path')].every((e) => e.namespaceURI.endsWith('svg'))), true)
    })
  }

  test('in each place, and only there', async () => {
    const row = (n) => marked(1, `<p>row <!>${n}</p>`)
    await open(`<div id="root">${row(1)}${row(2)}<p>row <!>3</p></div>`)
    const done = await send(patch('<p>"row " {n}</p>', '<p>"line " {n}</p>'))
    assert.equal(done.patched, 2)
    assert.equal(await html('#root'), '<p>line 1</p><p>line 2</p><p>row 3</p>')
  })

  test('one after another, and the accumulated one again', async () => {
    await open(`<div id="root">${marked(1, '<p>1</p>')}</div>`)
    const first = patch('<p>"1"</p>', '<p>"2"</p>')
    await send(first)
    const [second] = patches(view('<p>"2"</p>'), view('<p>"3"</p>'))
    await send({ kind: 'patch', views: [{ ...second, base: first.views[0].base }] })
    assert.equal(await html('#root'), '<p>3</p>')
    const done = await send(patch('<p>"1"</p>', '<p>"3"</p>'))
    assert.deepEqual([done.patched, done.failed], [0, []])
    assert.equal(await html('#root'), '<p>3</p>')
  })

  test('children of a component are found in what it rendered', async () => {
    const card = marked(9, '<section><h2>Card</h2><p>one <!>Ann</p></section>')
    await open(`<div id="root">${marked(1, `<main>${card}</main>`)}</div>`)
    const done = await send(patch('<main><Card><p>"one " {n}</p></Card></main>', '<main><Card><p>"two " <b>{n}</b></p></Card></main>'))
    assert.deepEqual([done.failed, await html('#root')], [[], '<main><section><h2>Card</h2><p>two <b>Ann</b></p></section></main>'])
  })

  test('children of a component among thousands of elements are found, or given up soon', async () => {
    const rows = (count, row) => Array.from({ length: count }, (_, n) => row(n)).join('')
    const old = '<main><Card><b>"x"</b>{a}<hr/></Card></main>'
    const next = '<main><Card><b>"y"</b>{a}<hr/></Card></main>'
    const shown = (html) => `<div id="root">${marked(1, `<main>${html}</main>`)}</div>`
    const many = rows(2_000, (n) => `<i>${n}</i>`)
    for (const [name, html, failed] of [
      ['once', `${many}<b>x</b>${many}<hr>`, 0],
      ['perhaps anywhere', rows(2_000, () => '<b>x</b><hr>'), 1],
    ]) {
      await open(shown(html))
      const start = performance.now()
      const done = await send(patch(old, next), `children of a component among thousands, ${name}`)
      assert.equal(done.failed.length, failed, done.failed)
      assert.ok(performance.now() - start < 5_000)
    }
  })

  test('what does not fit is left alone, and loaded again after the compile', async () => {
    await open(`<div id="root">${marked(1, '<p>other</p>')}</div>`)
    await send({ kind: 'ready', version: 1, reload: false })
    const done = await send(patch('<p>"a"</p>', '<p>"b"</p>'))
    assert.equal(done.failed.length, 1)
    assert.equal(await html('#root'), '<p>other</p>')
    server.body = '<div id="root"><p>b</p></div>'
    const loaded = page.waitForEvent('load')
    server.send({ kind: 'ready', version: 2, reload: false })
    await loaded
    assert.equal(await html('#root'), '<p>b</p>')
  })

  test('what could be several things is left alone', async () => {
    await open(`<div id="root">${marked(1, '<p><b>x</b><b>x</b><b>x</b></p>')}</div>`)
    const done = await send(patch('<p>{a}<b>"x"</b>{c}</p>', '<p>{a}<b>"y"</b>{c}</p>'))
    assert.equal(done.failed.length, 1)
  })

  test('what a parser would make something else of is left alone', async () => {
    await open(`<div id="root"><p>${marked(1, '<span>a</span>')}</p></div>`)
    const done = await send(patch('<span>"a"</span>', '<span><div>"a"</div></span>'))
    assert.equal(done.failed.length, 1)
    assert.equal(await html('#root'), '<p><span>a</span></p>')
  })

  test('a view has another name after a compile', async () => {
    await open(`<div id="root">${marked(1, '<p>a</p>')}</div>`)
    await send({ kind: 'ready', version: 1 })
    await send({ kind: 'ready', version: 2, renamed: [{ from: 'src-app.rs-1', to: 'src-app.rs-2' }] })
    await send({ kind: 'patch', views: patches(`\n${view('<p>"a"</p>')}`, `\n${view('<p>"b"</p>')}`) })
    assert.equal(await html('#root'), '<p>b</p>')
  })

  test('what a live page is told by the old program is patched again', async () => {
    await open(`<div id="root">${marked(1, '<p>a</p>')}</div>`)
    await send(patch('<p>"a"</p>', '<p>"b"</p>'))
    await page.evaluate(async () => {
      document.querySelector('p').firstChild.data = 'a'
      document.querySelector('p').dispatchEvent(new CustomEvent('tropos:changed', { bubbles: true }))
      await new Promise((resolve) => setTimeout(resolve))
    })
    assert.equal(await html('#root'), '<p>b</p>')
  })
})

// The fixture's island, hydrated by its own wasm.
const dist = new URL(process.env.FIXTURE_DIST ? `file://${process.env.FIXTURE_DIST}/` : '../fixture/dist/', import.meta.url)

describe('an island', () => {
  const button = (attributes, children) => `<button id="counter" ${attributes} on:click=move |_| set_count.update(|n| *n += 1)>${children}</button>`
  let release

  async function openIsland() {
    const { assets } = JSON.parse(await readFile(new URL('manifest.json', dist)))
    const read = (name) => readFile(new URL(`public/${assets[name].file}`, dist))
    const script = String(await read('app.js'))
    const component = script.match(/\bCounter_\w+/)[0]
    server.files['/app.js'] = { type: 'text/javascript', text: script }
    const wait = new Promise((resolve) => (release = resolve))
    server.files['/app.wasm'] = { type: 'application/wasm', text: await read('app_bg.wasm'), wait }
    await open(
      `<div id="root"><leptos-island data-component="${component}">${marked(1, '<button id="counter">0</button>')}</leptos-island></div>
       <script type="module" src="/islands.js" data-tropos-islands data-script="/app.js" data-wasm="/app.wasm"></script>`,
    )
  }
  const hydrated = () => page.waitForSelector('html[data-tropos-hydrated]', { state: 'attached' })

  test('is hydrated, patched, and goes on to count', async () => {
    await openIsland()
    release()
    await hydrated()
    assert.deepEqual(errors, [])
    await page.click('#counter')
    await page.waitForFunction(() => document.querySelector('#counter').textContent === '1')
    const done = await send(patch(button('', '{count}'), button('class="big"', '"Count: " {count} <i>"!"</i>')), 'an island')
    assert.deepEqual(done.failed, [])
    assert.equal(await page.textContent('#counter'), 'Count: 1!')
    await page.click('#counter')
    await page.waitForFunction(() => document.querySelector('#counter').textContent === 'Count: 2!')
    const again = await send({ ...patch(button('', '{count}'), button('class="big"', '<b>{count}</b>')) })
    assert.equal(again.failed.length, 1, 'from a state that the page does not show')
    assert.deepEqual(errors, [])
  })

  test('takes what Rust made into a new element, and goes on to count', async () => {
    await openIsland()
    release()
    await hydrated()
    const done = await send(patch(button('', '{count}'), button('', '<b>{count}</b> " clicks"')))
    assert.deepEqual(done.failed, [])
    await page.click('#counter')
    await page.waitForFunction(() => document.querySelector('#counter').innerHTML.replaceAll('<!---->', '') === '<b>1</b> clicks')
    assert.deepEqual(errors, [])
  })

  test('is patched once it is hydrated, if that comes later', async () => {
    await openIsland()
    server.send(patch(button('', '{count}'), button('', '"n " {count}')))
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(await page.textContent('#counter'), '0')
    release()
    await hydrated()
    await page.waitForFunction(() => document.querySelector('#counter').textContent === 'n 0')
    await page.click('#counter')
    await page.waitForFunction(() => document.querySelector('#counter').textContent === 'n 1')
    assert.deepEqual(errors, [])
  })

  test('whose outermost nodes change is left alone', async () => {
    await openIsland()
    release()
    await hydrated()
    const done = await send(patch(button('', '{count}'), `${button('', '{count}')}<p/>`))
    assert.equal(done.failed.length, 1)
  })
})

describe('files', () => {
  test('a style sheet is swapped without a load', async () => {
    server.files['/style.css'] = { type: 'text/css', text: 'p { color: rgb(255, 0, 0) }' }
    await open('<p>text</p>', '<link rel="stylesheet" href="/style.css">')
    await page.evaluate(() => (globalThis.same = true))
    server.files['/style.css'].text = 'p { color: rgb(0, 0, 255) }'
    const done = await send({ kind: 'styles', files: ['/style.css'] }, 'a style sheet')
    assert.equal(done.swapped, 1)
    const found = await page.evaluate(() => [getComputedStyle(document.querySelector('p')).color, document.querySelectorAll('link[rel=stylesheet]').length, globalThis.same])
    assert.deepEqual(found, ['rgb(0, 0, 255)', 1, true])
    server.files['/style.css'].text = 'p { color: rgb(0, 255, 0) }'
    await send({ kind: 'styles', files: ['/style.css'] }, 'a style sheet, again')
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('p')).color), 'rgb(0, 255, 0)')
  })

  test('of sheets that are saved twice before they are there the last one counts, and only it', async () => {
    server.files['/style.css'] = { type: 'text/css', text: 'p { color: rgb(255, 0, 0) }' }
    await open('<p>text</p>', '<link rel="stylesheet" href="/style.css">')
    let release
    server.files['/style.css'].wait = new Promise((resolve) => (release = resolve))
    for (let n = 0; n < 3; n++) server.send({ kind: 'styles', files: ['/style.css'] })
    await page.waitForFunction(() => document.querySelectorAll('link[rel=stylesheet]').length === 2)
    await page.waitForTimeout(20)
    server.files['/style.css'].text = 'p { color: rgb(0, 0, 255) }'
    release()
    server.files['/style.css'].wait = null
    await page.waitForFunction(() => document.querySelectorAll('link[rel=stylesheet]').length === 1)
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('p')).color), 'rgb(0, 0, 255)')
    const done = await send({ kind: 'styles', files: ['/style.css'] })
    assert.equal(done.swapped, 1)
  })

  test('a sheet that another one imports is loaded with the page', async () => {
    server.files['/style.css'] = { type: 'text/css', text: '@import "/more.css";' }
    server.files['/more.css'] = { type: 'text/css', text: 'p { color: rgb(255, 0, 0) }' }
    await open('<p>text</p>', '<link rel="stylesheet" href="/style.css">')
    server.files['/more.css'].text = 'p { color: rgb(0, 0, 255) }'
    const loaded = page.waitForEvent('load')
    server.send({ kind: 'styles', files: ['/more.css'] })
    await loaded
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('p')).color), 'rgb(0, 0, 255)')
  })

  test('an image is loaded again', async () => {
    server.files['/a.svg'] = { type: 'image/svg+xml', text: '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>' }
    await open('<img src="/a.svg">')
    const done = await send({ kind: 'files', files: ['/a.svg'] }, 'an image')
    assert.equal(done.swapped, 1)
    assert.match(await page.getAttribute('img', 'src'), /^\/a\.svg\?tropos-dev=\d+$/)
  })
})

test('a load keeps scroll, focus and what was entered', async () => {
  const body = '<form><input name="a" value="x"><input type="checkbox" name="b"><textarea name="c"></textarea><input type="password" name="d"></form><div style="height: 5000px"></div>'
  await open(body)
  await page.fill('[name=a]', 'typed')
  await page.check('[name=b]')
  await page.fill('[name=d]', 'secret')
  await page.fill('[name=c]', 'long text')
  await page.evaluate(() => scrollTo(0, 1234))
  const loaded = page.waitForEvent('load')
  const start = performance.now()
  server.send({ kind: 'reload', why: 'a test' })
  await loaded
  times.push(['a load of the page', performance.now() - start])
  await page.waitForFunction(() => scrollY === 1234)
  const found = await page.evaluate(() => ['a', 'b', 'c', 'd'].map((name) => document.querySelector(`[name=${name}]`)).map((field) => (field.type === 'checkbox' ? field.checked : field.value)))
  assert.deepEqual(found, ['typed', true, 'long text', ''])
  assert.equal(await page.evaluate(() => document.activeElement.name), 'c')
  assert.deepEqual(errors, [])
})

test('who scrolls before all of the page is there stays where they are', async () => {
  const image = { type: 'image/svg+xml', text: '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>' }
  server.files['/late.svg'] = image
  await open('<div style="height: 5000px"></div><img src="/late.svg">')
  await page.evaluate(() => ((globalThis.before = true), scrollTo(0, 1234)))
  let release
  image.wait = new Promise((resolve) => (release = resolve))
  const loaded = page.waitForEvent('load')
  server.send({ kind: 'reload', why: 'a test' })
  await page.waitForFunction(() => !globalThis.before && scrollY === 1234 && document.readyState !== 'complete')
  await page.mouse.wheel(0, 500)
  await page.waitForFunction(() => scrollY === 1734)
  release()
  await loaded
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)))
  assert.equal(await page.evaluate(() => scrollY), 1734)
  assert.deepEqual(errors, [])
})

describe('what was entered outlives pages that stand in between:', async () => {
  const waits = await readFile(new URL('../../framework/cli/src/dev/proxy/screen.html', import.meta.url), 'utf8')
  const failure = '<!doctype html><script type="module" src="/_tropos/dev/client.js"></script><p>failed</p>'
  // The page of waiting was left behind by process 1, and loads itself again.
  for (const [name, text, event] of [
    ['that of waiting', waits.replace('{version}', '1'), { kind: 'ready', version: 2, reload: true }],
    ['a failure', failure, { kind: 'reload', why: 'a test' }],
  ]) {
    test(name, async () => {
      await open('<form><input name="a"><textarea name="b"></textarea></form><div style="height: 5000px"></div>')
      await page.fill('[name=a]', 'typed')
      await page.fill('[name=b]', 'long text')
      await page.evaluate(() => scrollTo(0, 1234))
      const load = async (event) => {
        const asked = server.asked.length
        const loaded = page.waitForEvent('load')
        server.send(event)
        await loaded
        while (server.asked.length === asked) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      server.files['/'] = { type: 'text/html; charset=utf-8', text }
      await load({ kind: 'reload', why: 'a test' })
      // Twice: what is kept is not for the first load alone.
      await load(event)
      delete server.files['/']
      await load(event)
      const found = () => page.evaluate(() => [...['a', 'b'].map((name) => document.querySelector(`[name=${name}]`).value), scrollY, document.activeElement.name])
      assert.deepEqual(await found(), ['typed', 'long text', 1234, 'b'])
      // What the user takes away is not brought back by the next load.
      await page.fill('[name=a]', '')
      await page.evaluate(() => document.querySelector('[name=b]').remove())
      await load({ kind: 'reload', why: 'a test' })
      assert.deepEqual((await found()).slice(0, 2), ['', ''])
      assert.deepEqual(errors, [])
    })
  }
})

describe('the stream', () => {
  const see = (seen) =>
    page.evaluate((seen) => {
      Object.defineProperty(document, 'hidden', { value: !seen, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }, seen)

  test('is open while the page is seen, and no other', async () => {
    await open('<p>page</p>')
    await see(false)
    while (server.streams.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await see(true)
    await followed()
    await see(true)
    assert.equal(server.streams.size, 1)
    assert.equal((await send({ kind: 'cleared' })).message.kind, 'cleared')
    assert.match(server.asked.at(-1), /^\/_tropos\/dev\/events\?away=\d+$/)
  })
})

test('fields of another kind are left alone, and the page goes on to follow', async () => {
  const form = (first, second, third) => `<form>${first}${second}${third}<input name="d" value="x"></form>`
  await open(form('<input name="a" value="">', '<select name="b" multiple><option selected>1<option>2</select>', '<input name="c">'))
  for (const name of ['a', 'd', 'c']) await page.fill(`[name=${name}]`, 'typed')
  server.body = form('<input type="file" name="a">', '<input name="b">', '<input type="number" name="c">')
  const loaded = page.waitForEvent('load')
  server.send({ kind: 'reload', why: 'a test' })
  await loaded
  await followed()
  await page.waitForFunction(() => document.querySelector('[name=d]').value === 'typed')
  await send({ kind: 'building', what: 'both' })
  assert.deepEqual(errors, [])
})

test('a page that the browser kept follows again, and is loaded if it is of an older process', async () => {
  server.greeting = { kind: 'ready', version: 1, reload: true }
  await open('<p>page</p>')
  await page.waitForTimeout(20)
  const turn = (kind) => page.evaluate((kind) => void dispatchEvent(new PageTransitionEvent(kind, { persisted: true })), kind)
  await turn('pagehide')
  while (server.streams.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  await turn('pageshow')
  await followed()
  await send({ kind: 'building', what: 'both' })
  await turn('pagehide')
  while (server.streams.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  server.greeting = { kind: 'ready', version: 2, reload: true }
  const loaded = page.waitForEvent('load')
  await turn('pageshow')
  await loaded
})

describe('errors', () => {
  const error = { source: 'compile', title: 'mismatched types', text: '\u001b[1m\u001b[38;5;9merror[E0308]\u001b[0m: <b> mismatched', file: 'src/app.rs', line: 3, column: 7 }

  test('are shown over the page, and go away by themselves', async () => {
    await open('<p>page</p>', '<meta http-equiv="content-security-policy" content="style-src \'none\'">')
    await send({ kind: 'errors', errors: [error, { source: 'panic', title: 'second' }] }, 'the overlay')
    const shown = await page.evaluate(() => {
      const dialog = document.querySelector('tropos-dev-overlay').shadowRoot.querySelector('dialog')
      return [dialog.open, dialog.querySelector('pre').textContent, dialog.querySelector('pre span').className, dialog.querySelectorAll('section').length, getComputedStyle(dialog).borderTopWidth]
    })
    assert.deepEqual(shown, [true, 'error[E0308]: <b> mismatched', 'bold c1', 2, '4px'])
    await page.getByRole('button', { name: 'src/app.rs:3:7' }).click()
    await page.waitForTimeout(50)
    assert.deepEqual(server.posts, [['/_tropos/dev/open', { file: 'src/app.rs', line: 3, column: 7 }]])
    await send({ kind: 'cleared' })
    assert.equal(await page.locator('tropos-dev-overlay').count(), 0)
  })

  test('of another page are not shown', async () => {
    await open('<p>page</p>')
    await send({ kind: 'errors', errors: [{ ...error, source: 'panic', path: '/other' }] })
    assert.equal(await page.locator('tropos-dev-overlay').count(), 0)
    await send({ kind: 'errors', errors: [{ ...error, source: 'panic', path: '/' }] })
    assert.equal(await page.locator('tropos-dev-overlay').count(), 1)
  })

  test('are closed by a key, and come again', async () => {
    await open('<p>page</p>')
    await send({ kind: 'errors', errors: [error] })
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !document.querySelector('tropos-dev-overlay'))
    await send({ kind: 'errors', errors: [error] })
    assert.equal(await page.locator('tropos-dev-overlay').count(), 1)
    await send({ kind: 'ready', version: 1 })
    assert.equal(await page.locator('tropos-dev-overlay').count(), 0)
  })

  test('of the console are sent on, within bounds', async () => {
    await open('<p>page</p>')
    await page.evaluate(() => {
      console.warn('%cstyled', 'color: red', { a: 1 })
      for (let n = 0; n < 100; n++) console.error('x'.repeat(10_000))
    })
    await page.waitForTimeout(200)
    assert.equal(server.posts.length, 20)
    assert.equal(server.posts[0][0], '/_tropos/dev/console')
    const sent = server.posts.map(([, body]) => body)
    assert.ok(sent.some(({ level, text }) => level === 'warn' && text === 'styled {"a":1}'))
    assert.ok(sent.every(({ text }) => text.length <= 4096))
  })
})

test('a build shows its progress', async () => {
  await open('<p>page</p>')
  await send({ kind: 'building', what: 'both', done: 3, total: 9 })
  assert.equal(await page.evaluate(() => document.querySelector('tropos-dev-indicator').shadowRoot.textContent), 'Building server and islands 3/9')
  await send({ kind: 'ready', version: 1 })
  assert.equal(await page.locator('tropos-dev-indicator').count(), 0)
})
