// The toolbar of the page in development: what its render did, and what the mode advisor says of its route.
//
// It learns which record is that of the page from `Server-Timing: tropos;desc="ID"`, and asks the application for it
// through the dev server. It lives in a shadow root, so that neither the page's styles reach it nor its own the page.

/** Where the dev server hands on to the application's `/dev/*`. */
const APP = '/_tropos/dev/app'

/** A query or fetch from this time on is marked, in milliseconds: a reader feels some of them. */
const SLOW_MS = 50

/** The same statement more often than this in one render is asked one by one. */
const MOST_REPEATS = 5

/** How often a record that is not complete is asked for again, and how long apart, in milliseconds. */
const TRIES = 20
const PAUSE_MS = 150

const OPEN_KEY = 'tropos-toolbar'

const KEPT = 'The browser shows this page out of its own cache: this is what was said when it was loaded.'

/**
 * @typedef {{id: number, parent: number|null, kind: 'query'|'fetch'|'function', name: string, text: string,
 *   server: string|null, rows: number|null, status: number|null, cache: string|null, error: string|null,
 *   start_ms: number, took_ms: number|null}} Work
 * @typedef {{id: number, kind: string, path: string, route: string, name: string, mode: string, source: string,
 *   status: number, cache_status: string|null, why: string|null, age_ms: number|null, revalidate_ms: number|null,
 *   expire_ms: number|null, tags: string[], tags_left_out: number, head_ms: number|null, total_ms: number|null,
 *   done: boolean, work: Work[], work_left_out: number, read: Record<string, any>,
 *   islands: {name: string, count: number, props_bytes: number}[],
 *   islands_files: {script_bytes: number, wasm_bytes: number}|null|undefined, html_bytes: number|null, made_by: number|null,
 *   trace: string|null, failure: string|null}} Render
 * @typedef {{pattern: string, answers: number, enough: boolean}} RouteSeen
 * @typedef {{rule: string, pattern: string, reason: string, advice: string,
 *   saving: {renders_percent: number, ms_a_day: number, queries_a_day: number|null}|null}} Finding
 */

const STYLE = `
  :host { all: initial; position: fixed; inset: auto 0 0 auto; z-index: 2147483000; color-scheme: light dark;
    --back: light-dark(#fff, #1c1d21); --text: light-dark(#1c1d21, #e8e8ea); --dim: light-dark(#5d5f6b, #a2a4b0);
    --line: light-dark(#d9dae0, #3a3c45); --good: light-dark(#12733a, #6fd797); --warn: light-dark(#8a4b00, #f2b25c);
    --bad: light-dark(#b3202c, #ff8d92); --focus: light-dark(#1f5fd0, #8ab4ff); }
  @media print { :host { display: none !important } }
  * { box-sizing: border-box }
  section, #toggle { font: 13px/1.45 ui-sans-serif, system-ui, sans-serif; color: var(--text); background: var(--back);
    border: 1px solid var(--line); }
  #toggle { margin: 0 12px 12px auto; display: flex; gap: 8px; align-items: center; max-width: calc(100vw - 24px);
    padding: 4px 10px; border-radius: 999px; cursor: pointer; box-shadow: 0 1px 6px #0003; white-space: nowrap; overflow: hidden; }
  section { width: min(46rem, calc(100vw - 24px)); max-height: min(70vh, 40rem); overflow: auto; padding: 12px 16px 16px;
    margin: 0 12px 8px auto; border-radius: 10px; box-shadow: 0 0 18px #0003; }
  :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px }
  button { font: inherit; color: inherit; }
  section button { background: none; border: 1px solid var(--line); border-radius: 5px; padding: 1px 7px; cursor: pointer; }
  header { display: flex; gap: 10px; align-items: baseline; }
  h2 { font-size: 14px; margin: 0; flex: 1; overflow-wrap: anywhere; }
  h3 { font-size: 12px; margin: 14px 0 4px; color: var(--dim); font-weight: 600; }
  p { margin: 4px 0; } dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 6px 0; }
  dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere; }
  ul { list-style: none; margin: 0; padding: 0; } li { padding: 2px 0; }
  ul.tags li { display: inline-flex; gap: 6px; align-items: center; margin: 0 10px 4px 0; }
  table { border-collapse: collapse; width: 100%; } td { padding: 2px 8px 2px 0; vertical-align: top; }
  td.ms { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
  code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
  .mode { font-weight: 600 } .dim { color: var(--dim) } .good { color: var(--good) } .warn { color: var(--warn) }
  .bad { color: var(--bad) } .box { border-left: 3px solid var(--warn); padding-left: 10px; }
  [hidden] { display: none !important }
`

/**
 * An element with attributes and children; texts are never read as HTML.
 * @param {string} name
 * @param {Record<string, any>} attributes
 * @param {(Node|string|null|undefined|false)[]} children
 */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value)
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false))
  return made
}

/** @param {number|null} ms */
function time(ms) {
  if (ms === null) return '…'
  if (ms < 10) return `${Math.round(ms * 100) / 100} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`
}

/** @param {number} bytes */
function size(bytes) {
  if (bytes < 1_000) return `${bytes} B`
  return bytes < 1_000_000 ? `${Math.round(bytes / 100) / 10} kB` : `${Math.round(bytes / 100_000) / 10} MB`
}

/** @param {number} count @param {string} one @param {string} [many] */
function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`
}

/** The number of the page's record, and whether the page came from the browser's own cache. */
function ofNavigation() {
  const entry = /** @type {PerformanceNavigationTiming|undefined} */ (performance.getEntriesByType('navigation')[0])
  const timing = entry?.serverTiming?.find((metric) => metric.name === 'tropos')
  const kept = entry !== undefined && entry.type === 'back_forward' && entry.transferSize === 0
  return { id: timing?.description ?? null, kept }
}

/** Hit, stale or miss, in a word and a colour. @param {Render} render @returns {[string, string]} */
function outcome(render) {
  const status = render.cache_status ?? ''
  if (render.status >= 500 || render.failure) return ['failed', 'bad']
  if (status.includes('fwd=bypass')) return ['rendered', 'dim']
  if (status.includes('detail=stale')) return ['stale', 'warn']
  if (status.includes('; hit')) return ['hit', 'good']
  return status.includes('fwd=') ? ['miss', 'warn'] : ['rendered', 'dim']
}

/** Statements that one render ran more than a few times. @param {Work[]} work */
function repeated(work) {
  const counts = new Map()
  for (const { kind, text } of work) {
    if (kind === 'query') counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  return [...counts].filter(([, count]) => count > MOST_REPEATS)
}

/** @param {Work} work */
function row(work) {
  const slow = (work.took_ms ?? 0) >= SLOW_MS
  const facts = [
    work.rows !== null && counted(work.rows, 'row'),
    work.status !== null && String(work.status),
    work.cache !== null && work.cache.replace(/^tropos; /, ''),
    work.server,
    slow && 'slow',
  ].filter(Boolean)
  return element('tr', {},
    element('td', {},
      element('code', {}, work.kind === 'fetch' ? `${work.name} ${work.text}` : work.text || work.name),
      element('div', { class: slow ? 'warn' : 'dim' }, facts.join(' · ')),
      work.error && element('div', { class: 'bad' }, work.error)),
    element('td', { class: slow ? 'ms warn' : 'ms' }, time(work.took_ms)))
}

/** Work of one kind. @param {string} title @param {Work[]} work */
function works(title, work) {
  if (work.length === 0) return []
  const sum = work.reduce((sum, { took_ms }) => sum + (took_ms ?? 0), 0)
  return [
    element('h3', {}, `${title} (${work.length}, ${time(sum)})`),
    element('table', {}, element('tbody', {}, ...work.map(row))),
  ]
}

/** What of the request was read. @param {Render} render */
function readOf({ read }) {
  const names = read.cookie_names?.length ? ` (${read.cookie_names.join(', ')})` : ''
  const parts = ['headers', 'cookies', 'session', 'query', 'draft', 'hooks'].filter((part) => read[part])
  return parts.map((part) => (part === 'cookies' ? part + names : part)).join(', ') || 'nothing'
}

class Toolbar {
  constructor() {
    this.host = element('tropos-toolbar', { 'data-tropos-dev': true })
    this.root = this.host.attachShadow({ mode: 'open' })
    this.panel = element('section', { id: 'panel', role: 'region', 'aria-label': 'Tropos toolbar', hidden: true })
    this.toggle = element('button', { id: 'toggle', type: 'button', 'aria-controls': 'panel', onclick: () => this.show(!this.open) }, 'Tropos')
    // Neither an inline style nor a link: a content security policy may forbid those.
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(STYLE)
    this.root.adoptedStyleSheets = [sheet]
    this.root.append(this.panel, this.toggle)
    this.root.addEventListener('keydown', (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === 'Escape' && this.open) {
        this.show(false)
        this.toggle.focus()
      }
    })
    this.show(remembered())
    // Beside the body: the script of a live page makes that what the server says.
    document.documentElement.append(this.host)
    addEventListener('pageshow', (event) => event.persisted && this.panel.prepend(element('p', { class: 'warn' }, KEPT)))
  }

  get open() {
    return !this.panel.hidden
  }

  /** @param {boolean} open */
  show(open) {
    this.panel.hidden = !open
    this.toggle.setAttribute('aria-expanded', String(open))
    remember(open)
  }

  /** @param {string} text */
  say(text) {
    this.toggle.replaceChildren('Tropos', element('span', { class: 'dim' }, text))
    this.panel.replaceChildren(element('p', {}, text))
  }

  /**
   * @param {Render} render
   * @param {Render|null} made the render that made what is stored
   * @param {Finding[]} findings
   * @param {RouteSeen|undefined} seen
   * @param {boolean} kept whether the browser shows the page out of its own cache
   */
  fill(render, made, findings, seen, kept) {
    const [word, look] = outcome(render)
    const work = made ? made.work : render.work
    const many = repeated(work)
    // An answer without a body (304) has the HTML that was made before.
    const html = render.html_bytes === null && made ? made : render
    const marks = [
      element('span', { class: 'mode' }, render.mode),
      element('span', { class: look }, word),
      element('span', { class: 'dim' }, time(render.total_ms ?? render.head_ms)),
      (findings.length > 0 || many.length > 0) && element('span', { class: 'warn' }, 'advice'),
    ]
    this.toggle.replaceChildren(...marks.filter((mark) => mark !== false))
    this.toggle.setAttribute('aria-label', `Tropos: ${render.mode}, ${word}`)
    this.panel.replaceChildren(
      element('header', {},
        element('h2', {}, `${render.route} `, element('span', { class: 'dim' }, render.name)),
        element('button', { type: 'button', onclick: () => this.show(false) }, 'Close')),
      ...(kept ? [element('p', { class: 'warn' }, KEPT)] : []),
      ...(render.failure ? [element('p', { class: 'bad' }, render.failure)] : []),
      facts({ ...render, html_bytes: html.html_bytes }, word, look),
      ...advice(findings, seen, many),
      ...tags(render),
      ...(made ? [element('p', { class: 'dim' }, `Made ${time(render.age_ms)} ago by render ${made.id}${made.kind === 'background' ? ', in the background' : ''}:`)] : []),
      ...works('Queries', work.filter(({ kind }) => kind === 'query')),
      ...works('Fetches', work.filter(({ kind }) => kind === 'fetch')),
      ...works('Cached functions', work.filter(({ kind }) => kind === 'function')),
      ...(render.work_left_out > 0 ? [element('p', { class: 'warn' }, `${render.work_left_out} more are not shown.`)] : []),
      ...islands({ ...html, islands_files: render.islands_files }),
    )
  }
}

/** @param {Render} render @param {string} word @param {string} look */
function facts(render, word, look) {
  const ages = [
    render.age_ms !== null && `${time(render.age_ms)} old`,
    render.revalidate_ms !== null && `stale after ${time(render.revalidate_ms)}`,
    render.expire_ms !== null && `expires after ${time(render.expire_ms)}`,
  ].filter(Boolean)
  const rows = [
    ['Mode', element('span', { class: 'mode' }, render.mode)],
    ['Answer', element('span', {}, element('span', { class: look }, word), `: ${render.why ?? ''}`)],
    ['Age', ages.join(', ')],
    ['Time', `${time(render.head_ms)} until the head, ${time(render.total_ms)} in all`],
    ['Read of request', ['server', 'live'].includes(render.mode) ? readOf(render) : ''],
    ['HTML', render.html_bytes === null ? '' : size(render.html_bytes)],
    ['Page', place(render.source)],
    ['Trace', render.trace ? trace(render.trace) : ''],
  ]
  const shown = rows.filter(([, value]) => value !== '')
  return element('dl', {}, ...shown.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]))
}

/** A trace, as a link to its waterfall in the dashboard. @param {string} id */
function trace(id) {
  const href = `/_tropos/dev/dashboard/trace/${id}`
  return element('a', { id: 'trace', href, target: '_blank', rel: 'noopener', title: 'Open in the dashboard' }, element('code', {}, id))
}

/** Where a page is written, as a button that opens it in the editor. @param {string} source `FILE:LINE` */
function place(source) {
  const [, file, line] = /^(.*):(\d+)$/.exec(source) ?? []
  if (!file) return element('code', {}, source)
  const body = JSON.stringify({ file, line: Number(line) })
  const open = () => fetch('/_tropos/dev/open', { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => {})
  return element('button', { type: 'button', id: 'source', title: 'Open in the editor', onclick: open }, element('code', {}, source))
}

/** @param {Finding[]} findings @param {RouteSeen|undefined} seen @param {[string, number][]} many */
function advice(findings, seen, many) {
  const boxes = findings.map((finding) =>
    element('div', { class: 'box', 'data-rule': finding.rule },
      element('p', {}, `Seen: ${finding.reason}.`),
      element('p', {}, `Advice: ${finding.advice}.`),
      finding.saving && element('p', { class: 'dim' }, `Would save ${finding.saving.renders_percent} % of the renders.`)))
  const loops = many.map(([text, count]) =>
    element('div', { class: 'box', 'data-rule': 'repeated' },
      element('p', {}, `The same statement ran ${count} times in one render: read all rows by one query, or by a Loader.`),
      element('code', {}, text)))
  const tooFew = findings.length === 0 && seen && !seen.enough && ['server', 'isr'].includes(seen.mode)
  const none = tooFew ? [element('p', { class: 'dim' }, `Advisor: ${counted(seen.answers, 'answer')} seen, too few to judge this route by.`)] : []
  return boxes.length + loops.length > 0 ? [element('h3', {}, 'Advice'), ...boxes, ...loops] : none
}

/** @param {Render} render */
function tags(render) {
  if (render.tags.length === 0) return []
  const one = (tag) =>
    element('li', {}, element('code', {}, tag),
      element('button', { type: 'button', 'data-tag': tag, 'aria-label': `Invalidate ${tag}`, onclick: (event) => invalidate(event.currentTarget, tag) }, 'Invalidate'))
  const more = render.tags_left_out > 0 ? [element('p', { class: 'dim' }, `${render.tags_left_out} more`)] : []
  return [element('h3', {}, `Tags (${render.tags.length + render.tags_left_out})`), element('ul', { class: 'tags' }, ...render.tags.map(one)), ...more]
}

/** @param {Render} render */
function islands(render) {
  if (render.islands.length === 0) return []
  const one = ({ name, count, props_bytes }) =>
    element('li', {}, element('code', {}, name), count > 1 ? ` × ${count}` : '', ` ${size(props_bytes)} of props`)
  const files = render.islands_files
  const loaded = files && `All islands of the application are in one script of ${size(files.script_bytes)} and one wasm of ${size(files.wasm_bytes)}, as built for development.`
  return [
    element('h3', {}, `Islands (${render.islands.length})`),
    element('ul', {}, ...render.islands.map(one)),
    ...(loaded ? [element('p', { class: 'dim', id: 'islands-files' }, loaded)] : []),
  ]
}

/** @param {HTMLButtonElement} button @param {string} tag */
async function invalidate(button, tag) {
  button.disabled = true
  const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ tags: [tag] }) }
  const answer = await fetch(`${APP}/invalidate`, sent).catch(() => null)
  if (answer?.ok) return location.reload()
  button.disabled = false
  button.textContent = 'Failed'
}

function remembered() {
  try {
    return localStorage.getItem(OPEN_KEY) === 'open'
  } catch {
    return false
  }
}

/** @param {boolean} open */
function remember(open) {
  try {
    localStorage.setItem(OPEN_KEY, open ? 'open' : 'closed')
  } catch {
    // A browser that keeps nothing shows it closed.
  }
}

/** @param {string} path */
async function ask(path) {
  const answer = await fetch(APP + path).catch(() => null)
  return answer?.ok ? answer.json() : null
}

/** The record once it is complete, or as it is after a while. @param {string|number} id @returns {Promise<Render|null>} */
async function complete(id) {
  let render = null
  for (let tries = 0; tries < TRIES; tries += 1) {
    render = await ask(`/renders/${encodeURIComponent(id)}`)
    if (render === null || render.done) break
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  return render
}

async function start() {
  if (document.querySelector('tropos-toolbar') || window.top !== window) return
  const toolbar = new Toolbar()
  const { id, kept } = ofNavigation()
  if (id === null) return toolbar.say('This page was not rendered by a route.')
  const [render, said] = await Promise.all([complete(id), ask('/advice')])
  if (render === null) {
    return toolbar.say(kept
      ? 'The browser shows this page out of its own cache; its render is not known any more.'
      : 'The render of this page is not known any more: the application has been restarted since.')
  }
  const made = render.made_by === null ? null : await ask(`/renders/${render.made_by}`)
  const of = (list) => (list ?? []).filter(({ pattern }) => pattern === render.route)
  toolbar.fill(render, made, of(said?.findings), of(said?.routes)[0], kept)
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start, { once: true })
else start()
