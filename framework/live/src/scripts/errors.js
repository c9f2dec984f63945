// Reports what goes wrong in a page with islands to the page's own server, which tells whom the application names.
//
// That is what nothing has caught: errors, rejections, panics of islands, islands that do not start. Each once, and five a
// page at most. Neither the query of the address nor anything that was entered is sent; the server takes out what looks
// personal, and drops all of it where nobody is to be told.
//
// `window.__tropos.failed(error)` reports an error that was caught; `window.__tropos.panicked(text)` is called by islands
// that panic, just before they trap.

const MOST_REPORTS = 5
// The server refuses longer ones.
const LONGEST_REPORT = 16 * 1024
const reported = new Set()
let panic = null

function report(source, error, text) {
  try {
    const name = String(error?.name ?? 'Error').replace(/[^\w$.-]/g, '').slice(0, 64) || 'Error'
    const message = String(text ?? error?.message ?? error).slice(0, 1000)
    if (name === 'AbortError' || reported.size >= MOST_REPORTS || reported.has(name + message)) return
    reported.add(name + message)
    const stack = String(error?.stack ?? '').slice(0, 8000)
    const blob = (fields) => new Blob([JSON.stringify(fields)], { type: 'application/json' })
    const fields = { name, message, path: location.pathname, source, traceparent: trace() }
    const whole = blob({ ...fields, stack })
    navigator.sendBeacon('/_tropos/error', whole.size > LONGEST_REPORT ? blob(fields) : whole)
  } catch {
    // What cannot even be told is left to the console.
  }
}

// The trace of the answer that is shown, where that says it.
function trace() {
  const [shown] = performance.getEntriesByType('navigation')
  return shown?.serverTiming?.find((entry) => entry.name === 'traceparent')?.description
}

// An error, or the panic that it is the trap of.
function failed(source, error) {
  if (panic === null || !(error instanceof WebAssembly.RuntimeError)) return report(source, error)
  const text = panic
  panic = null
  report('panic', error, text)
}

function panicked(text) {
  console.error(text)
  panic = text
  // Its trap tells the stack, unless somebody catches it.
  setTimeout(() => {
    if (panic !== text) return
    panic = null
    report('panic', null, text)
  }, 200)
}

addEventListener('error', (event) => event.error && failed('error', event.error))
addEventListener('unhandledrejection', (event) => failed('rejection', event.reason))
window.__tropos = { ...window.__tropos, failed: (error) => failed('island', error), panicked }
