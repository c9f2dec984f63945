// The same pages on Next.js, and its dev server.

import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../browser/app-server.mjs'
import { Application, pause } from './application.mjs'

const sources = fileURLToPath(new URL('./next/', import.meta.url))

/** Puts the application into a folder as it is in the repository, with what it needs from npm. */
export function make(folder, cold = false) {
  if (cold) rmSync(folder, { recursive: true, force: true })
  for (const made of ['app', 'public', '.next']) rmSync(join(folder, made), { recursive: true, force: true })
  cpSync(sources, folder, { recursive: true })
  if (!existsSync(join(folder, 'node_modules/next')))
    execFileSync('npm', ['--prefix', folder, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error', 'install'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  return new Application(folder)
}

/** Starts its dev server; resolves once it listens. */
export async function develop(application) {
  const port = await freePort()
  const child = spawn('node', ['node_modules/next/dist/bin/next', 'dev', '--port', String(port)], {
    cwd: application.folder,
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // It starts others, which are to end with it.
    detached: true,
  })
  const log = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => log.push(text))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://localhost:${port}`
  while (!log.join('').includes('Ready')) {
    if (child.exitCode !== null) throw new Error(`next dev ended: ${log.join('')}`)
    await pause(10)
  }
  return {
    url,
    log,
    async stop() {
      process.kill(-child.pid, 'SIGTERM')
      await ended
    },
  }
}
