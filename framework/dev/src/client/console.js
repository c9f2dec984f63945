// What the page writes to its console as an error or a warning is shown in the terminal too.

/** A page that fails in a loop must not fill the terminal. */
const MOST_IN_A_WHILE = 20
const WHILE_MS = 10_000
const LONGEST = 4096

let sent = 0

function send(level, text) {
  if (sent === 0) setTimeout(() => (sent = 0), WHILE_MS)
  if (++sent > MOST_IN_A_WHILE) return
  const body = JSON.stringify({ level, text: text.slice(0, LONGEST), url: location.href })
  // What fails here must not be written to the console.
  fetch('/_tropos/dev/console', { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => {})
}

function text(value) {
  if (value instanceof Error) return value.stack?.includes(value.message) ? value.stack : `${value}\n${value.stack ?? ''}`
  if (typeof value === 'string') return value
  if (value instanceof Element) return value.outerHTML.slice(0, 200)
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}

/** Begins to send. */
export function relayConsole() {
  for (const level of ['error', 'warn']) {
    const own = console[level].bind(console)
    console[level] = (...values) => {
      own(...values)
      // Styles of the console are for the console.
      const styled = typeof values[0] === 'string' ? values[0].split('%c').length - 1 : 0
      const shown = styled > 0 ? [values[0].replaceAll('%c', ''), ...values.slice(1 + styled)] : values
      send(level, shown.map(text).join(' '))
    }
  }
  addEventListener('error', (event) => event.message && send('error', event.error ? text(event.error) : `${event.message} (${event.filename}:${event.lineno})`))
  addEventListener('unhandledrejection', (event) => send('error', `unhandled rejection: ${text(event.reason)}`))
}
