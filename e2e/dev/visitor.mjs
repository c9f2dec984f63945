// Somebody who asks for a page again and again, each time by a new connection.

import { get } from 'node:http'
import { pause } from './application.mjs'

const EVERY_MS = 50

/** Begins to ask; `end()` says what came of it. */
export function visit(url) {
  let goesOn = true
  const result = { answers: 0, bad: [], slowest: 0 }
  const under = new Set()
  const ask = () =>
    new Promise((resolve) => {
      const start = performance.now()
      const done = (what) => {
        result.answers += 1
        result.slowest = Math.max(result.slowest, performance.now() - start)
        if (what !== 200) result.bad.push(what)
        resolve()
      }
      // Not in the browser's name: the page as it is, without the client of development.
      const request = get(url, { agent: false, timeout: 120_000 }, (response) => {
        response.on('error', (error) => done(`${error}`))
        response.on('end', () => done(response.statusCode))
        response.resume()
      })
      request.on('timeout', () => request.destroy(new Error('no answer')))
      request.on('error', (error) => done(`${error}`))
    })
  const run = async () => {
    while (goesOn) {
      const one = ask().then(() => under.delete(one))
      under.add(one)
      await pause(EVERY_MS)
    }
    await Promise.all(under)
  }
  const running = run()
  return {
    async end() {
      goesOn = false
      await running
      return result
    },
  }
}
