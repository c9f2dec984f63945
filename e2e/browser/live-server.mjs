// A small server of live pages, whose every answer the test decides.

import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'

const scripts = new URL('../../framework/live/src/scripts/', import.meta.url)

// In place of an application's wasm module: each island counts how often it was hydrated, and by what it was preceded.
const islands = `
globalThis.calls = []
export default async function init({ module_or_path }) { calls.push('init ' + new URL(module_or_path).pathname) }
export function hydrate() { calls.push('hydrate') }
export function Counter(element) {
  calls.push('Counter ' + (element.dataset.props ?? ''))
  const button = element.querySelector('button')
  button.textContent = JSON.parse(element.dataset.props ?? '0')
  button.onclick = () => (button.textContent = Number(button.textContent) + 1)
}
export async function Outer(element) {
  // As a lazily loaded island does: what is within it must wait for it.
  await new Promise((resolve) => setTimeout(resolve, 20))
  calls.push('Outer')
  const children = element.querySelector('leptos-children')
  if (children) children.$$on_hydrate = () => calls.push('children of Outer')
}
export function Inner() { calls.push('Inner') }
export function Broken() { throw new Error('on purpose') }
// As a panic is: what it says goes to the loader, and then it traps. The module is of one function, \`unreachable\`.
const trap = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 116, 114, 97, 112, 0, 0, 10, 5, 1, 3, 0, 0, 11])
export function Panicking(element) {
  const { instance } = { instance: new WebAssembly.Instance(new WebAssembly.Module(trap)) }
  element.querySelector('button').onclick = () => {
    __tropos.panicked('panicked at src/islands.rs:7:9: on purpose')
    instance.exports.trap()
  }
}
`

/** Listens on a free port. `page` is the body of the page, `stream` answers the event stream. */
export async function listen() {
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const state = { head: '', page: '', stream: refuse, requests: [], reports: [], trace }
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost')
    const answer = (type, text) => response.writeHead(200, { 'content-type': type }).end(text)
    if (url.pathname === '/stream') {
      state.requests.push({ query: url.search, lastEventId: request.headers['last-event-id'] })
      state.stream(response, state.requests.length)
    } else if (url.pathname === '/app.js') answer('text/javascript', islands)
    else if (url.pathname === '/live.js') answer('text/javascript', await readFile(new URL('live.js', scripts)))
    else if (url.pathname === '/islands.js') {
      // As the server has it: what reports errors goes before the loader.
      const parts = ['errors.js', 'islands.js'].map((name) => readFile(new URL(name, scripts), 'utf8'))
      answer('text/javascript', (await Promise.all(parts)).join(''))
    } else if (url.pathname === '/_tropos/error') {
      let body = ''
      for await (const piece of request) body += piece
      state.reports.push({ ...JSON.parse(body), type: request.headers['content-type'] })
      response.writeHead(204).end()
    }
    else if (url.pathname === '/') {
      response.setHeader('server-timing', `traceparent;desc="${state.trace}"`)
      answer(
        'text/html; charset=utf-8',
        `<!doctype html><html><head><link rel="icon" href="data:,">${state.head}</head><body>${state.page}</body></html>`,
      )
    }
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

export function refuse(response) {
  response.writeHead(503).end()
}

/** A stream that sends these messages, and stays open. */
export function sending(...messages) {
  return (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write('retry: 50\n\n')
    for (const message of messages) send(response, message)
  }
}

export function send(response, message) {
  response.write(`id: ${message.v}\ndata: ${JSON.stringify(message)}\n\n`)
}
