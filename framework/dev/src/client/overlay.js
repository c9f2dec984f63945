// Errors of the compiler and of the server, over the page.

/** @typedef {{source: string, title: string, text?: string, file?: string, line?: number, column?: number}} DevError */

const SOURCES = { compile: 'Compile error', panic: 'Panic', render: 'Failed render', start: 'The server did not start', config: 'Configuration' }

const CSS = `
  :host { all: initial; }
  dialog { --fg: #1f2328; --bg: #fff; --soft: #f6f8fa; --line: #d0d7de; --red: #cf222e; --link: #0969da;
    box-sizing: border-box; width: min(1000px, calc(100vw - 32px)); max-height: calc(100vh - 48px); margin: 24px auto;
    padding: 0; overflow: auto; border: 1px solid var(--line); border-top: 4px solid var(--red); border-radius: 8px;
    color: var(--fg); background: var(--bg); font: 14px/1.5 system-ui, sans-serif; }
  dialog::backdrop { background: #0008; }
  @media (prefers-color-scheme: dark) { dialog { --fg: #e6edf3; --bg: #0d1117; --soft: #161b22; --line: #30363d; --red: #ff7b72; --link: #58a6ff; } }
  header { position: sticky; top: 0; display: flex; gap: 12px; align-items: center; padding: 12px 16px; background: var(--bg); border-bottom: 1px solid var(--line); }
  h1 { flex: 1; margin: 0; font-size: 15px; }
  section { padding: 12px 16px; }
  section + section { border-top: 1px solid var(--line); }
  h2 { margin: 0 0 4px; font-size: 15px; color: var(--red); overflow-wrap: anywhere; }
  small { opacity: .75; }
  button { font: inherit; color: var(--link); background: none; border: 0; padding: 2px 4px; cursor: pointer; border-radius: 4px; }
  button:focus-visible { outline: 2px solid var(--link); }
  .place { font-family: ui-monospace, monospace; text-decoration: underline; }
  pre { margin: 8px 0 0; padding: 12px; overflow: auto; border-radius: 6px; background: var(--soft); font: 12.5px/1.5 ui-monospace, monospace; }
  .bold { font-weight: 700; } .dim { opacity: .7; } .italic { font-style: italic; } .underline { text-decoration: underline; }
  .c0 { color: #6e7781; } .c1 { color: #cf222e; } .c2 { color: #116329; } .c3 { color: #9a6700; } .c4 { color: #0550ae; } .c5 { color: #8250df; } .c6 { color: #1b7c83; } .c7 { color: inherit; }
  @media (prefers-color-scheme: dark) { .c0 { color: #8b949e; } .c1 { color: #ff7b72; } .c2 { color: #7ee787; } .c3 { color: #e3b341; } .c4 { color: #79c0ff; } .c5 { color: #d2a8ff; } .c6 { color: #56d4dd; } }`

/** More than these, nobody reads. */
const MOST = 50

let host = null
let dialog = null

function make() {
  host = document.createElement('tropos-dev-overlay')
  host.setAttribute('data-tropos-dev', '')
  host.setAttribute('data-tropos-keep', '')
  const shadow = host.attachShadow({ mode: 'open' })
  // A sheet that a script makes is not subject to the page's policy for contents.
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(CSS)
  shadow.adoptedStyleSheets = [sheet]
  dialog = shadow.appendChild(document.createElement('dialog'))
  dialog.setAttribute('aria-labelledby', 'title')
  dialog.addEventListener('close', () => host.remove())
}

function element(name, text, properties = {}) {
  const made = Object.assign(document.createElement(name), properties)
  if (text !== undefined) made.textContent = text
  return made
}

/** @param {DevError[]} errors */
export function showErrors(errors) {
  if (errors.length === 0) return hideErrors()
  if (!host) make()
  const header = element('header')
  const count = errors.length === 1 ? (SOURCES[errors[0].source] ?? 'Error') : `${errors.length} errors`
  const close = element('button', 'Close', { type: 'button', title: 'Close (Escape)', autofocus: true })
  close.onclick = () => dialog.close()
  header.append(element('h1', count, { id: 'title' }), close)
  dialog.replaceChildren(header, ...errors.slice(0, MOST).map(show))
  if (errors.length > MOST) dialog.append(element('section', `and ${errors.length - MOST} more`))
  if (!host.isConnected) document.documentElement.append(host)
  if (!dialog.open) dialog.showModal()
}

export function hideErrors() {
  if (dialog?.open) dialog.close()
  host?.remove()
}

/** @param {DevError} error */
function show(error) {
  const section = element('section')
  section.append(element('h2', error.title))
  if (error.file) {
    const place = [error.file, error.line, error.column].filter((part) => part != null).join(':')
    const button = element('button', place, { type: 'button', className: 'place', title: 'Open in the editor' })
    button.onclick = () => open(error)
    section.append(button)
  }
  section.append(element('small', ` ${SOURCES[error.source] ?? error.source}`))
  if (error.text) {
    const pre = element('pre', undefined, { tabIndex: 0 })
    pre.append(...colours(error.text))
    section.append(pre)
  }
  return section
}

function open({ file, line, column }) {
  const body = JSON.stringify({ file, line, column })
  fetch('/_tropos/dev/open', { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => {})
}

/** Text with the colours of a terminal, as spans. @returns {Node[]} */
export function colours(text) {
  const nodes = []
  let style = { colour: null, classes: new Set() }
  // Other sequences of a terminal are left out, links with their addresses too.
  const parts = text.replace(/\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g, '').split(/\x1b\[([0-9;]*)([A-Za-z])/)
  for (let at = 0; at < parts.length; at += 3) {
    if (parts[at]) {
      const classes = [...style.classes, ...(style.colour === null ? [] : [style.colour])]
      nodes.push(classes.length === 0 ? document.createTextNode(parts[at]) : element('span', parts[at], { className: classes.join(' ') }))
    }
    if (parts[at + 2] === 'm') style = styled(style, parts[at + 1].split(';').map(Number))
  }
  return nodes
}

function styled({ colour, classes }, codes) {
  classes = new Set(classes)
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at]
    if (code === 0) {
      classes.clear()
      colour = null
    } else if (code === 1) classes.add('bold')
    else if (code === 2) classes.add('dim')
    else if (code === 3) classes.add('italic')
    else if (code === 4) classes.add('underline')
    else if (code === 22) ['bold', 'dim'].forEach((name) => classes.delete(name))
    else if (code === 39) colour = null
    else if (code === 38) {
      // Of 256 colours, rustc uses the first sixteen.
      if (codes[at + 1] === 5 && codes[at + 2] < 16) colour = `c${codes[at + 2] % 8}`
      at += codes[at + 1] === 5 ? 2 : 4
    } else if (code >= 30 && code <= 37) colour = `c${code - 30}`
    else if (code >= 90 && code <= 97) colour = `c${code - 90}`
  }
  return { colour, classes }
}
