// A small sign while something is built.

const WHAT = { server: 'server', islands: 'islands', both: 'server and islands' }

let host = null
let label = null

function make() {
  host = document.createElement('tropos-dev-indicator')
  host.setAttribute('data-tropos-dev', '')
  host.setAttribute('data-tropos-keep', '')
  const shadow = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`
    :host { all: initial; position: fixed; left: 12px; bottom: 12px; z-index: 2147483646; pointer-events: none; }
    div { font: 12px/1.4 system-ui, sans-serif; padding: 4px 10px; border-radius: 6px; color: #fff; background: #24292fe6; }`)
  shadow.adoptedStyleSheets = [sheet]
  label = shadow.appendChild(document.createElement('div'))
  label.setAttribute('role', 'status')
}

/** @param {{what: string, done?: number, total?: number}} message */
export function showProgress({ what, done, total }) {
  if (!host) make()
  const count = total ? ` ${done ?? 0}/${total}` : ''
  label.textContent = `Building ${WHAT[what] ?? what}${count}`
  // Not in the body, which belongs to the page.
  if (!host.isConnected) document.documentElement.append(host)
}

export function hideProgress() {
  host?.remove()
}
