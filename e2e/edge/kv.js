// What workerd asks for a key-value store: one in memory.
const stored = new Map()

export default {
  async fetch(request) {
    const key = new URL(request.url).pathname
    if (request.method === 'PUT') {
      stored.set(key, await request.arrayBuffer())
      return new Response(null, { status: 200 })
    }
    return stored.has(key) ? new Response(stored.get(key)) : new Response('Not Found', { status: 404 })
  },
}
