// A dev server whose every event the test decides, with the real scripts and real patches.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const scripts = new URL('../../framework/dev/src/client/', import.meta.url)
const islands = new URL('../../framework/live/src/scripts/islands.js', import.meta.url)
const root = fileURLToPath(new URL('../../', import.meta.url))

/** The patches from one source to another, by the program that the dev server is made of; null for code. */
export function patches(old, next, path = 'src/app.rs') {
  const folder = mkdtempSync(join(tmpdir(), 'tropos-dev-'))
  try {
    const [a, b] = ['old.rs', 'new.rs'].map((name) => join(folder, name))
    writeFileSync(a, old)
    writeFileSync(b, next)
    // The program, if it is built already; else by cargo.
    const program = process.env.DEV_PATCH
    const found = program
      ? execFileSync(program, [path, a, b])
      : execFileSync('cargo', ['run', '-q', '-p', 'tropos-dev', '--example', 'patch', '--', path, a, b], { cwd: root })
    return JSON.parse(found)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Puts the markers of a view around HTML. */
export const marked = (line, html, path = 'src/app.rs') => {
  const id = `${path.replaceAll('/', '-')}-${line}`
  return `<!--hot-reload|${id}|open-->${html}<!--hot-reload|${id}|close-->`
}

/** Listens on a free port. `files` are answers by path; `send` sends an event to all open pages. */
export async function listen() {
  const streams = new Set()
  const state = { head: '', body: '', files: {}, posts: [], asked: [], greeting: null }
  state.send = (event) => streams.forEach((response) => response.write(`data: ${JSON.stringify(event)}\n\n`))
  state.streams = streams
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const answer = (type, text) => response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
    const file = state.files[pathname]
    if (request.method === 'POST') {
      let body = ''
      for await (const piece of request) body += piece
      state.posts.push([pathname, JSON.parse(body)])
      response.writeHead(204).end()
    } else if (pathname === '/_tropos/dev/events') {
      state.asked.push(request.url)
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(':\n\n')
      if (state.greeting) response.write(`data: ${JSON.stringify(state.greeting)}\n\n`)
      streams.add(response)
      response.on('close', () => streams.delete(response))
    } else if (pathname.startsWith('/_tropos/dev/')) {
      const text = await readFile(new URL(pathname.slice('/_tropos/dev/'.length), scripts)).catch(() => null)
      if (text === null) response.writeHead(404).end()
      else answer('text/javascript', text)
    } else if (pathname === '/islands.js') answer('text/javascript', await readFile(islands))
    else if (file) {
      if (file.wait) await file.wait
      answer(file.type, file.text)
    } else if (pathname === '/')
      answer(
        'text/html; charset=utf-8',
        `<!doctype html><html><head><link rel="icon" href="data:,">${state.head}<script type="module" src="/_tropos/dev/client.js"></script></head><body>${state.body}</body></html>`,
      )
    else response.writeHead(404).end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  state.url = `http://127.0.0.1:${server.address().port}/`
  state.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return state
}
