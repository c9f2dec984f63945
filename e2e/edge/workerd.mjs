// Starts a Worker in workerd in front of an origin, on a free port and in a folder of its own, and stops it.

import { spawn } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../browser/app-server.mjs'

const here = import.meta.dirname

/** More than a machine needs that does other things as well. */
const LONGEST_START_MS = 20_000
/** Somebody else may take the port that was free a moment ago. */
const MOST_STARTS = 4

/**
 * Runs the Worker of a build until `stop()`. `vars` are its variables; with `tags` it has a store to purge in, and with `tells` answers from its
 * cache say in `x-put` for how long they were put there.
 * @param {{worker: string, origin: string, vars?: Record<string, string>, tags?: boolean, tells?: boolean}} options
 */
export async function startWorkerd(options) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(options)
    } catch (error) {
      if (tries === MOST_STARTS || !/address already in use/i.test(error.message)) throw error
    }
  }
}

async function startOnce({ worker, origin, vars = {}, tags = false, tells = false }) {
  const folder = mkdtempSync(join(tmpdir(), 'tropos-workerd-'))
  const port = await freePort()
  cpSync(worker, join(folder, 'worker'), { recursive: true })
  copyFileSync(join(here, 'kv.js'), join(folder, 'kv.js'))
  writeFileSync(join(folder, 'cache.js'), readFileSync(join(here, 'cache.js'), 'utf8').replace('TELLS = false', `TELLS = ${tells}`))
  const bindings = Object.entries(vars).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)}),`)
  if (tags) bindings.push('(name = "TAGS", kvNamespace = "kv"),')
  const config = readFileSync(join(here, 'test.capnp'), 'utf8')
    .replace('STORES', '')
    .replace('ORIGIN_ADDRESS', origin.replace(/^http:\/\//, ''))
    .replace('OWN_ADDRESS', `127.0.0.1:${port}`)
    .replace('BINDINGS', bindings.join('\n    '))
  writeFileSync(join(folder, 'test.capnp'), config)
  const program = process.env.WORKERD ?? join(here, 'node_modules/@cloudflare/workerd-linux-64/bin/workerd')
  const own = existsSync(program) ? program : join(here, 'node_modules/.bin/workerd')
  const log = []
  const started = performance.now()
  const child = spawn(own, ['serve', 'test.capnp'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => log.push(String(text)))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  // Any answer will do: the Worker has decided on something.
  while (!(await fetch(`${url}/%zz`).catch(() => null)) || child.exitCode !== null) {
    if (child.exitCode !== null || performance.now() - started > LONGEST_START_MS) {
      await stop()
      throw new Error(`workerd did not start: ${log.join('')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return {
    url,
    log,
    /** Milliseconds until the first answer. */
    took: performance.now() - started,
    pid: child.pid,
    stop,
  }
}
