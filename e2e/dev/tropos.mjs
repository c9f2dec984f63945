// `cargo tropos new` and `cargo tropos dev`, run as a person does.

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../browser/app-server.mjs'
import { Application, pause } from './application.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where crates are compiled into. What is there of an earlier run is not compiled again. */
export const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target')

/** The command, as the caller built it. */
export const program = process.env.CARGO_TROPOS ?? join(target, 'debug/cargo-tropos')

/** The first build compiles all crates. */
const COLD_MS = 1_500_000
const MOST_MS = 180_000

/**
 * Makes an application in an empty folder.
 *
 * The folder is outside of the repository, whose workspace it would join, and the same each time: what cargo keeps for it
 * in the target folder is kept once.
 */
export function make(name = 'diary', into = target) {
  const above = join(tmpdir(), `tropos-dev-${createHash('sha256').update(into).digest('hex').slice(0, 12)}`)
  rmSync(above, { recursive: true, force: true })
  mkdirSync(above)
  execFileSync(program, ['tropos', 'new', name, '--yes'], { cwd: above, stdio: ['ignore', 'ignore', 'inherit'] })
  const application = new Application(join(above, name))
  application.above = above
  return application
}

/** Puts a picture into the application: the template has none on a page. */
export function addPicture(application) {
  application.write('public/picture.svg', '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>\n')
  application.edit('src/pages/note.rs', (text) =>
    text.replace('<article>\n', '<article>\n            <img src="/picture.svg" alt=""/>\n'),
  )
}

/** Starts the dev server; resolves once it listens. */
export async function develop(application, into = target) {
  const environment = { ...process.env, CARGO_TARGET_DIR: into, TROPOS_LOG: 'warn' }
  for (const name of ['TROPOS_ADDR', 'PORT', 'DATABASE_URL', 'TROPOS_ADMIN_ADDR']) delete environment[name]
  const child = spawn(program, ['tropos', 'dev', '--port', String(await freePort())], {
    // Any folder of the application will do.
    cwd: application.path('src'),
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log = []
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
  const url = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`the dev server ended: ${log.join('')}`)))
    child.stderr.setEncoding('utf8').on('data', (text) => {
      if (process.env.DEV_LOG) process.stderr.write(text)
      log.push(text)
      const found = log.join('').match(/ at (http:\/\/localhost:\d+)\n/)
      if (found) resolve(found[1])
    })
  })
  const dev = { url, log, child }
  dev.events = await follow(url)
  dev.ready = (mark = 0) => dev.events.wait('ready', mark, mark === 0 ? COLD_MS : MOST_MS)
  dev.stop = async (signal = 'SIGTERM') => {
    child.kill(signal)
    const code = await ended
    dev.events.close()
    return code
  }
  return dev
}

/** What open pages are told, as one more of them. */
async function follow(url) {
  const end = new AbortController()
  const list = []
  const waiting = new Set()
  const response = await fetch(`${url}/_tropos/dev/events`, { headers: { accept: 'text/event-stream' }, signal: end.signal })
  const read = async () => {
    let held = ''
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      held += piece
      const events = held.split('\n\n')
      held = events.pop()
      for (const event of events) {
        const data = event.split('\n').find((line) => line.startsWith('data:'))
        if (!data) continue
        list.push({ ...JSON.parse(data.slice(5)), at: performance.now() })
        waiting.forEach((look) => look())
      }
    }
  }
  read().catch(() => {})
  return {
    list,
    mark: () => list.length,
    since: (mark, kind) => list.slice(mark).filter((event) => event.kind === kind),
    /** The first of a kind behind a mark. */
    wait: (kind, mark, within = MOST_MS) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`no event "${kind}" within ${within / 1000} s, but ${JSON.stringify(list.slice(mark).slice(-5))}`))
        }, within)
        const look = () => {
          const found = list.slice(mark).find((event) => event.kind === kind)
          if (!found) return
          clearTimeout(late)
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
    close: () => end.abort(),
  }
}

/** The processes that work in the application's folder, or name it. */
export function processes(application) {
  const found = []
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const command = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const folder = readlinkSync(`/proc/${id}/cwd`)
      if (folder.startsWith(application.above) || command.includes(application.above)) found.push(`${id} ${command}`)
    } catch {
      // It ended meanwhile.
    }
  }
  return found
}

/** Those that are left after a while in which they may end. */
export async function left(application, within = 20_000) {
  const start = performance.now()
  while (processes(application).length > 0 && performance.now() - start < within) await pause(20)
  return processes(application)
}
