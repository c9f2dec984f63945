// What workerd asks for `caches.default`: a cache in memory, by the lifetimes that it is told.
const stored = new Map()
/** Whether answers say for how long they were put here; `workerd.mjs` turns it on. */
const TELLS = false

/** The answer in the bytes of a message of HTTP/1.1. */
function parse(bytes) {
  const text = new TextDecoder('latin1').decode(bytes)
  const end = text.indexOf('\r\n\r\n')
  const [first, ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))
  let body = bytes.slice(end + 4)
  if (headers.get('transfer-encoding') === 'chunked') {
    const parts = []
    for (let at = end + 4; ; ) {
      const line = text.indexOf('\r\n', at)
      const length = Number.parseInt(text.slice(at, line), 16)
      if (!length) break
      parts.push(bytes.slice(line + 2, line + 2 + length))
      at = line + 2 + length + 2
    }
    body = new Uint8Array(parts.flatMap((part) => [...part]))
    headers.delete('transfer-encoding')
  }
  const age = Number(/max-age=(\d+)/.exec(headers.get('cache-control'))?.[1] ?? 0)
  return { status: Number(first.split(' ')[1]), headers, body, until: Date.now() + age * 1000 }
}

export default {
  async fetch(request) {
    if (request.method === 'PUT') {
      stored.set(request.url, parse(new Uint8Array(await request.arrayBuffer())))
      return new Response(null, { status: 204 })
    }
    if (request.method === 'PURGE') return new Response(null, { status: stored.delete(request.url) ? 200 : 404 })
    const found = stored.get(request.url)
    if (!found || found.until <= Date.now()) return new Response(null, { status: 504, headers: { 'cf-cache-status': 'MISS' } })
    const headers = new Headers(found.headers)
    headers.set('cf-cache-status', 'HIT')
    if (TELLS) headers.set('x-put', found.headers.get('cache-control'))
    return new Response(found.body, { status: found.status, headers })
  },
}
