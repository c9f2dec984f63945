// What workerd asks for a key-value store: one in memory, with what it is given to begin with.
const stored = new Map()
let begun = false

export default {
  async fetch(request, env) {
    if (!begun) for (const [name, value] of Object.entries(JSON.parse(env.VALUES ?? '{}'))) stored.set(`/${encodeURIComponent(name)}`, value)
    begun = true
    const key = new URL(request.url).pathname
    if (request.method === 'PUT') {
      stored.set(key, await request.arrayBuffer())
      return new Response(null, { status: 200 })
    }
    return stored.has(key) ? new Response(stored.get(key)) : new Response('Not Found', { status: 404 })
  },
}
