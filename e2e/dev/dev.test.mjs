// `new` and `dev` from end to end: Chromium is open and looking while real files are edited.
//
// One application and one dev server, and steps that build on each other, since compiling is what takes long. No time is
// judged: what is judged is whether a page was loaded again, what it kept, and what stood over it.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { pause } from './application.mjs'
import { broken, edits, mended } from './edits.mjs'
import { browse } from './looking.mjs'
import { shown, table } from './table.mjs'
import { addPicture, develop, left, make, processes } from './tropos.mjs'
import { visit } from './visitor.mjs'

/** What the button's action answers, in place of the server: a number that only the open page knows. */
const LIKES = 42

let application, dev, browser, visitor, live
const tabs = {}
const times = []

before(async () => {
  const start = performance.now()
  application = make()
  const made = performance.now()
  addPicture(application)
  dev = await develop(application)
  browser = await browse()
  // While the first build runs, there is a page that says so, and becomes the application's by itself.
  tabs.home = await browser.open(`${dev.url}/`)
  await dev.ready()
  const first = await tabs.home.until('the front page', (seen) => seen.html.includes('Say how each page is made.'))
  times.push(['`new`', made - start, ''], ['from `dev` to the first page', first.at - made, ''])
  await browser.context.route('**/api/notes/like*', (route) => route.fulfill({ contentType: 'application/json', body: String(LIKES) }))
  tabs.note = await browser.open(`${dev.url}/notes/tags`)
  tabs.write = await browser.open(`${dev.url}/write`)
  await tabs.note.until('the island at work', (seen) => seen.hydrated)
  visitor = visit(`${dev.url}/write`)
})

after(async () => {
  await browser?.close()
  if (dev && dev.child.exitCode === null) await dev.stop('SIGKILL')
  if (application) rmSync(application.above, { recursive: true, force: true })
  console.log(`\nfrom the write of the file to the change in the page:\n${table(['edit', 'time', 'the page'], times.map(([what, time, how]) => [what, shown(time), how]))}`)
})

/** What the form holds, and how far down the page is. */
const entered = (page) =>
  page.evaluate(() => [...['title', 'text'].map((name) => document.querySelector(`[name=${name}]`).value), scrollY])

const output = (tab) => tab.page.textContent('output')

async function like() {
  await tabs.note.page.click('form.like button')
  await tabs.note.until('the like', (seen) => seen.html.includes(`${LIKES}</output>`))
}

/** Waits until all that was saved is compiled and answers. */
async function settled() {
  for (;;) {
    const mark = dev.events.mark()
    if (dev.events.list.findLast(({ kind }) => ['building', 'ready', 'errors'].includes(kind)).kind !== 'building') return
    await dev.ready(mark)
  }
}

/** Waits until each tab has been loaded again, where the last restart had it do so. */
async function loaded() {
  const last = dev.events.list.findLast(({ kind, reload }) => kind === 'ready' && reload)
  if (!last) return
  await Promise.all(Object.values(tabs).map((tab) => tab.until(`process ${last.version}`, (seen) => seen.version >= last.version)))
}

/** Makes an edit, and waits until a tab shows it. */
async function edit(what, tab, name, change, seen) {
  await loaded()
  const before = tab.seen.loaded
  const mark = dev.events.mark()
  const start = application.edit(name, change)
  const found = await tab.until(what, seen)
  const again = found.loaded !== before
  times.push([what, found.at - start, again ? 'loaded again' : 'stayed'])
  return { again, mark }
}

const stay = edits.filter((one) => !one.loads)
let beforePatches

for (const { what, page, seen, tropos } of stay) {
  test(`${what} is shown in the open page, which stays`, async () => {
    const tab = tabs[page]
    const [name, change] = tropos
    if ((await output(tab)) !== String(LIKES)) await like()
    beforePatches ??= { loaded: tab.seen.loaded, mark: dev.events.mark() }
    const { again, mark } = await edit(what, tab, name, (text) => change(text, 1), seen(1))
    beforePatches.last = mark
    assert.equal(again, false)
    assert.equal(await output(tab), String(LIKES), 'the state of the island is what it was')
  })
}

test('the compile that follows behind these changes nothing that is seen', async () => {
  const { loaded: before, mark, last } = beforePatches
  await dev.ready(last)
  await settled()
  const ready = dev.events.since(mark, 'ready')
  assert.ok(ready.length > 0 && ready.every(({ reload }) => !reload), JSON.stringify(ready))
  const served = (await (await fetch(`${dev.url}/notes/tags`)).text()).replace(/<!--.*?-->|<!>/gs, '')
  for (const { what, seen } of stay.filter(({ tropos: [name] }) => name.endsWith('.rs'))) {
    assert.ok(seen(1)({ html: served }), `${what} is compiled: ${served}`)
    assert.ok(seen(1)(tabs.note.seen), `${what} is shown`)
  }
  await pause(300)
  assert.equal(tabs.note.seen.loaded, before, 'it was not loaded afterwards')
  assert.equal(await output(tabs.note), String(LIKES), 'the state of the island is what it was')
  assert.deepEqual(tabs.note.thrown, [])
})

test('an island that was patched goes on to work', async () => {
  await browser.context.unroute('**/api/notes/like*')
  await browser.context.route('**/api/notes/like*', (route) => route.fulfill({ contentType: 'application/json', body: '43' }))
  await tabs.note.page.click('form.like button')
  await tabs.note.until('the next like', (seen) => seen.html.includes('43</output>'))
  assert.deepEqual(tabs.note.thrown, [])
})

test('the stream of a live page survives a restart', async () => {
  const streams = []
  browser.context.on('request', (request) => {
    if (request.resourceType() === 'eventsource' && !request.url().includes('/_tropos/dev/')) streams.push(request.url())
  })
  const board = await browser.open(`${dev.url}/board`)
  while (streams.length === 0) await pause(20)
  const before = board.seen.loaded
  const mark = dev.events.mark()
  // A text: a build and a restart that no page is loaded again for.
  application.edit('src/pages/note.rs', (text) => text.replace('Made once for all visitors', 'Made once for everybody'))
  await dev.ready(mark)
  const start = performance.now()
  const liked = await fetch(`${dev.url}/api/notes/like`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'slug=tags',
    redirect: 'manual',
  })
  assert.ok(liked.status < 400, `${liked.status}`)
  const seen = await board.until('the like on the board', (seen) => /<data value="7"/.test(seen.html))
  times.push(['a write, on a live page that outlived its process', seen.at - start, 'stayed'])
  assert.equal(seen.loaded, before)
  assert.equal(streams.length, 1, `asked for once: ${streams}`)
  await board.page.close()
})

for (const { what, page, seen, tropos } of edits.filter(({ loads }) => loads)) {
  test(`${what} is compiled, and the page loaded again`, async () => {
    const [name, change] = tropos
    const { again, mark } = await edit(what, tabs[page], name, (text) => change(text, 1), seen(1))
    assert.equal(again, true)
    assert.equal((await dev.ready(mark)).reload, true)
    assert.deepEqual(tabs[page].thrown, [])
  })
}

test('what was entered and the place on the page are kept over a load', async () => {
  const { page } = tabs.write
  await page.setViewportSize({ width: 600, height: 200 })
  await page.fill('[name=title]', 'A title half w')
  await page.fill('[name=text]', 'And a text')
  await page.evaluate(() => scrollTo(0, 150))
  const from = await page.evaluate(() => scrollY)
  assert.ok(from > 0)
  const { again } = await edit(
    'logic of a page with a form',
    tabs.write,
    'src/pages/write.rs',
    (text) => text.replace('<h1>"Write a note"</h1>', '<h1>{format!("Write {} note", 1)}</h1>'),
    (seen) => seen.html.includes('Write 1 note'),
  )
  assert.equal(again, true)
  // Seen is what the parser has made, and the client runs after it; the browser itself scrolls even earlier.
  await page.waitForLoadState('load')
  assert.deepEqual(await entered(page), ['A title half w', 'And a text', from])
})

test('an error of the compiler stands over the page with its place, and goes when it is mended', async () => {
  const [name, change] = broken.tropos
  const tab = tabs.write
  const { again } = await edit('an error of the compiler', tab, name, change, (seen) => seen.overlay?.includes('nonsense'))
  assert.equal(again, false, 'what is below it stays')
  const line = application.read(name).split('\n').findIndex((line) => line.includes('nonsense')) + 1
  assert.ok(tab.seen.overlay.includes(`${name}:${line}`), tab.seen.overlay)
  await tabs.home.until('the error over every page', (seen) => seen.overlay?.includes('nonsense'))
  await edit('its mending', tab, name, mended, (seen) => seen.overlay === null)
  await tabs.home.until('the front page', (seen) => seen.overlay === null)
})

test('a panic stands over the page with its place, and goes when it is mended', async () => {
  const name = 'src/pages/home.rs'
  const tab = tabs.home
  await edit(
    'a panic',
    tab,
    name,
    (text) => text.replace('    view! {', '    assert!(SITE.is_empty(), "a planted panic");\n    view! {'),
    (seen) => seen.overlay?.includes('a planted panic'),
  )
  const line = application.read(name).split('\n').findIndex((line) => line.includes('planted')) + 1
  assert.ok(tab.seen.overlay.includes(`${name}:${line}`), tab.seen.overlay)
  await edit(
    'its mending',
    tab,
    name,
    (text) => text.replace(/ +assert!.*\n/, ''),
    (seen) => seen.overlay === null && seen.html.includes('Say how each page is made.'),
  )
})

test('a configuration that is wrong stands over the page, and goes when it is mended', async () => {
  const tab = tabs.note
  const { again } = await edit(
    'a wrong `tropos.toml`',
    tab,
    'tropos.toml',
    (text) => `adr = 1\n${text}`,
    (seen) => seen.overlay?.includes('adr'),
  )
  assert.equal(again, false)
  assert.ok(tab.seen.overlay.includes('tropos.toml'), tab.seen.overlay)
  const { mark } = await edit('its mending', tab, 'tropos.toml', (text) => text.replace('adr = 1\n', ''), (seen) => seen.overlay === null)
  assert.deepEqual(dev.events.since(mark, 'building'), [], 'a configuration is not compiled')
})

test('a migration that is added is applied, and the page loaded again', async () => {
  await loaded()
  const before = tabs.note.seen.loaded
  const start = application.write('migrations/0002_title.sql', "update note set title = 'Labels' where slug = 'tags';\n")
  const seen = await tabs.note.until('the migrated title', (seen) => seen.html.includes('Labels'))
  times.push(['a migration', seen.at - start, 'loaded again'])
  assert.notEqual(seen.loaded, before)
})

test('a second edit gives up the build of the first', async () => {
  const name = 'src/pages/write.rs'
  const mark = dev.events.mark()
  const to = (n) => (text) => text.replace(/"Write \{\} note", \d/, `"Write {} note", ${n}`)
  application.edit(name, to(2))
  await dev.events.wait('building', mark)
  await pause(50)
  const start = application.edit(name, to(3))
  const seen = await tabs.write.until('the second edit', (seen) => /Write [23] note/.test(seen.html))
  times.push(['the second of two edits', seen.at - start, 'loaded again'])
  assert.match(seen.html, /Write 3 note/)
  await pause(500)
  assert.equal(dev.events.since(mark, 'ready').length, 1)
})

test('no request was refused all the while', async () => {
  const { answers, bad, slowest } = await visitor.end()
  times.push([`slowest of ${answers} answers`, slowest, ''])
  assert.deepEqual(bad, [], `of ${answers}`)
  assert.ok(answers > 200, `${answers}`)
})

test('after SIGTERM no process is left', async () => {
  assert.notDeepEqual(processes(application), [])
  assert.equal(await dev.stop(), 0)
  assert.deepEqual(await left(application), [])
})
