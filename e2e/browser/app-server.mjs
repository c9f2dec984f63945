// Starts a built application on free ports, in a folder of its own, and stops it.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Runs `program` until `stop()`; resolves once it is ready. */
export async function start(program, environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tropos-'))
  const [port, admin] = [await freePort(), await freePort()]
  const log = []
  const child = spawn(program, [], {
    cwd: folder,
    env: {
      ...process.env,
      TROPOS_ADDR: `127.0.0.1:${port}`,
      TROPOS_ADMIN_ADDR: `127.0.0.1:${admin}`,
      DATABASE_URL: `sqlite://${join(folder, 'app.db')}`,
      ...environment,
    },
    // In development a program ends with its standard input.
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  child.stderr.on('data', (text) => log.push(String(text)))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const failed = new Promise((_, reject) => child.once('error', reject))
  const ready = async () => {
    for (let tries = 0; tries < 400; tries += 1) {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${log.join('')}`)
      const answer = await fetch(`http://127.0.0.1:${admin}/readyz`).catch(() => null)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${program} is not ready after 20 s: ${log.join('')}`)
  }
  await Promise.race([ready(), failed])
  return {
    url: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${admin}`,
    log,
    async stop() {
      child.kill('SIGTERM')
      const code = await ended
      rmSync(folder, { recursive: true, force: true })
      return code
    },
  }
}
