// Measures the dev servers of Tropos and Next.js at the same edits, one after the other. Judges nothing.
//
//   node e2e/dev/bench.mjs [--cold] [--rounds N]     TOOLS names the folder that Next.js is installed in

import { rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pause } from './application.mjs'
import { broken, edits, mended } from './edits.mjs'
import { browse } from './looking.mjs'
import * as next from './next.mjs'
import { median, shown, table } from './table.mjs'
import * as tropos from './tropos.mjs'

const { values } = parseArgs({ options: { cold: { type: 'boolean' }, rounds: { type: 'string', default: '5' } } })
const rounds = Number(values.rounds)
const tools = process.env.TOOLS ?? join(tropos.target, 'tools')

/** What does not follow its file within this is taken not to. */
const NEVER_MS = 60_000
/** A picture is there at once, or not at all. */
const SOON_MS = 5_000

const subjects = {
  tropos: {
    name: 'Tropos',
    make(cold) {
      const into = cold ? join(tools, 'dev-cold') : tropos.target
      if (cold) rmSync(into, { recursive: true, force: true })
      const application = tropos.make('diary', into)
      tropos.addPicture(application)
      return { application, into }
    },
    async develop({ application, into }) {
      const dev = await tropos.develop(application, into)
      return { ...dev, mark: () => dev.events.mark(), settle: (mark, file) => (file.endsWith('.rs') ? dev.ready(mark) : pause(100)) }
    },
    clean({ application, into }, cold) {
      rmSync(application.above, { recursive: true, force: true })
      if (cold) rmSync(into, { recursive: true, force: true })
    },
  },
  next: {
    name: 'Next.js',
    make: (cold) => ({ application: next.make(join(tools, 'dev-next'), cold) }),
    async develop({ application }) {
      const dev = await next.develop(application)
      // It says nothing of when it is done.
      return { ...dev, mark: () => 0, settle: () => pause(500) }
    },
    clean() {},
  },
}

/** The time from nothing to the front page in the browser. */
async function begin(subject, cold, browser) {
  const start = performance.now()
  const made = subject.make(cold)
  const dev = await subject.develop(made)
  const tab = await browser.open(`${dev.url}/`)
  const first = await tab.until('the front page', (seen) => seen.html.includes('Say how each page is made.'), 1_500_000)
  await tab.page.close()
  return { dev, made, took: first.at - start }
}

/** All rounds of one edit. */
async function measure(dev, application, tab, [file, change], seen) {
  const times = []
  let loaded = false
  for (let n = 1; n <= rounds; n++) {
    const before = tab.seen.loaded
    const mark = dev.mark()
    const start = application.edit(file, (text) => change(text, n))
    const within = file.startsWith('public/') ? SOON_MS : NEVER_MS
    const found = await tab.until(file, seen(n), within).catch(() => null)
    if (!found) return { times: [], loaded }
    times.push(found.at - start)
    await dev.settle(mark, file)
    loaded ||= tab.seen.loaded !== before
  }
  return { times, loaded }
}

async function measureAll(key, results) {
  const subject = subjects[key]
  const browser = await browse()
  const note = (what, one) => {
    results[what] ??= {}
    results[what][key] = one
    console.error(`  ${subject.name}: ${what}: ${one.times.map(shown).join(', ') || 'not shown'}`)
  }
  try {
    if (values.cold) {
      const { dev, made, took } = await begin(subject, true, browser)
      await dev.stop()
      subject.clean(made, true)
      note('new to first page, cold', { times: [took] })
    }
    const { dev, made, took } = await begin(subject, false, browser)
    note('new to first page, warm', { times: [took] })
    const tabs = { note: await browser.open(`${dev.url}/notes/tags`), write: await browser.open(`${dev.url}/write`) }
    await tabs.note.until('the page at work', (seen) => seen.hydrated)
    await pause(1_000)
    for (const { what, page, seen, ...of } of edits) note(what, await measure(dev, made.application, tabs[page], of[key], seen))
    const times = { breaking: [], mending: [] }
    const [file, change] = broken[key]
    for (let n = 0; n < rounds; n++) {
      let start = made.application.edit(file, change)
      const shows = await tabs.write.until('the error', (seen) => seen.overlay?.includes('nonsense'), NEVER_MS).catch(() => null)
      if (!shows) {
        made.application.edit(file, mended)
        break
      }
      times.breaking.push(shows.at - start)
      await pause(500)
      start = made.application.edit(file, mended)
      times.mending.push((await tabs.write.until('no error', (seen) => seen.overlay === null && seen.html.includes('Write a note'))).at - start)
      await pause(500)
    }
    note('an error, over the page', { times: times.breaking })
    note('its mending', { times: times.mending })
    await dev.stop()
    subject.clean(made, false)
  } finally {
    await browser.close()
  }
}

const results = {}
const loads = [loadavg()[0]]
for (const key of Object.keys(subjects)) {
  await measureAll(key, results)
  loads.push(loadavg()[0])
}
const cells = (one) => (one && one.times.length > 0 ? [shown(median(one.times)), one.loaded ? 'loaded again' : ''] : ['not shown', ''])
const rows = Object.entries(results).map(([what, { tropos, next }]) => [what, ...cells(tropos), ...cells(next)])
console.log(`from the write of the file to the change in the page; medians of ${rounds}; load ${loads.map((load) => load.toFixed(1)).join(', ')}`)
console.log(table(['edit', 'Tropos', '', 'Next.js', ''], rows))
