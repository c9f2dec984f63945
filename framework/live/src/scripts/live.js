// Follows the event stream of a live page and applies what arrives to the open page.
//
// A page names its stream: <meta name="tropos-live" content="URL">. Each message is JSON, either the whole HTML of the
// body, {v, html}, or a splice on the text of the version `base`: {v, base, at, del, ins}, in UTF-16 code units.
//
// What a page may rely on:
// - An element that is still there stays the same element. It is found again by its id, else by its content, else by
//   its place among elements of its kind.
// - A field that has the focus, and one that the user has changed, keeps its value; the first also its selection.
//   A <details> or <dialog> that the user opened or closed stays so.
// - A <leptos-island> whose attributes are the same is left as it is, but for the server's content in its
//   <leptos-children>. With others it is replaced and hydrated, once the focus is elsewhere.
// - An element with `data-tropos-keep` is left alone, also where the server knows nothing of it.
// - Scripts are not run.
// - What has changed is marked `data-tropos-changed` for a second, and is sent the bubbling event `tropos:changed`: an
//   element that is new, or whose own text or attributes are (other than `data-…`).
// - <html> has `data-tropos-live="open"` while the stream is open, and "closed" while it is not.

const KEEP = 'data-tropos-keep'
const CHANGED = 'data-tropos-changed'
const MARKED_MS = 1000
const SHORTEST_WAIT_MS = 200
const LONGEST_WAIT_MS = 30_000

// --- the stream ---

// What the text of a version becomes by a message; null where the message is for another version.
export function apply(text, version, message) {
  if ('html' in message) return message.html
  if (text === null || message.base !== version) return null
  return text.slice(0, message.at) + message.ins + text.slice(message.at + message.del)
}

// Follows the stream at `url`; calls `show` with the HTML of each version.
export function follow(url, show) {
  let source = null
  let text = null
  let version = null
  let resynchronise = false
  let failures = 0
  let timer = 0

  function open() {
    close()
    const address = new URL(url, document.baseURI)
    // `since` is what the server rendered, and holds until we hold a text of our own, or have lost it.
    if (version || resynchronise) address.searchParams.delete('since')
    if (version) address.searchParams.set('base', version)
    source = new EventSource(address)
    source.onopen = () => say('open')
    source.onmessage = receive
    source.onerror = () => {
      say('closed')
      // Short of this, the browser opens it again by itself.
      if (source.readyState === EventSource.CLOSED) openLater()
    }
  }

  function close() {
    clearTimeout(timer)
    source?.close()
    say('closed')
  }

  // All the pages of a server that went away must not come back at one moment.
  function openLater() {
    close()
    const wait = Math.min(SHORTEST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS)
    timer = setTimeout(open, wait * (0.5 + Math.random()))
  }

  function receive(event) {
    let next = null
    try {
      const message = JSON.parse(event.data)
      next = apply(text, version, message)
      version = message.v
    } catch (error) {
      console.error('tropos: a live message could not be read', error)
    }
    text = next
    if (text === null) {
      version = null
      resynchronise = true
      openLater()
      return
    }
    failures = 0
    show(text)
  }

  // A page with an open stream could not go into the back-forward cache.
  addEventListener('pagehide', close)
  addEventListener('pageshow', (event) => event.persisted && open())
  open()
}

function say(state) {
  document.documentElement.setAttribute('data-tropos-live', state)
}

// --- the page ---

// What the server last said of `open`: what differs from it is the user's doing.
const openByServer = new WeakMap()
// The value of a focused field that was not the user's own, and would have changed but for the focus.
const heldBack = new WeakMap()
const marks = new WeakMap()

// Makes the children of `root` those of `html`. Returns whether something had to wait for the focus to go elsewhere, in
// which case the same call after that finishes it.
export function morph(root, html) {
  const template = document.createElement('template')
  template.innerHTML = html
  const run = { signs: new Map(), changed: new Set(), added: [], waits: false }
  const focused = document.activeElement
  const { selectionStart, selectionEnd, selectionDirection } = focused ?? {}

  morphChildren(root, template.content, run)

  // Where the browser cannot move an element without taking the focus from it.
  if (focused?.isConnected && focused !== document.activeElement) {
    focused.focus({ preventScroll: true })
    if (selectionStart != null) focused.setSelectionRange(selectionStart, selectionEnd, selectionDirection)
  }
  for (const element of run.added) {
    rememberOpen(element)
    if (element.matches('leptos-island') || element.querySelector('leptos-island')) window.__tropos?.hydrate?.(element)
  }
  for (const element of run.changed) if (element.isConnected) mark(element)
  return run.waits
}

function morphChildren(parent, target, run) {
  const wanted = [...target.childNodes]
  const { found, left } = pairUp(parent, wanted, run)
  for (const node of left) if (!isElement(node) || !node.hasAttribute(KEEP)) node.remove()

  let at = parent.firstChild
  for (const node of wanted) {
    while (at && left.has(at)) at = at.nextSibling
    const old = found.get(node)
    if (!old) {
      parent.insertBefore(node, at)
      noteAdded(node, run)
      continue
    }
    if (old === at) at = at.nextSibling
    else if (parent.moveBefore) parent.moveBefore(old, at)
    else parent.insertBefore(old, at)
    morphNode(old, node, run)
  }
}

// Which old child each wanted one is: by id, by content, by an id within, by place.
function pairUp(parent, wanted, run) {
  const left = new Set(parent.childNodes)
  const found = new Map()
  const pair = (old, node) => {
    if (!old || !left.has(old) || !alike(old, node)) return
    found.set(node, old)
    left.delete(old)
  }
  const open = () => wanted.filter((node) => !found.has(node) && isElement(node))

  const byId = new Map()
  const byContent = new Map()
  for (const old of left) {
    if (!isElement(old)) continue
    if (old.id) byId.set(old.id, old)
    const sign = signOf(old, run.signs)
    if (byContent.has(sign)) byContent.get(sign).push(old)
    else byContent.set(sign, [old])
  }
  for (const node of open()) if (node.id) pair(byId.get(node.id), node)
  for (const node of open()) pair(byContent.get(signOf(node, run.signs))?.shift(), node)
  for (const node of open()) {
    const id = node.querySelector('[id]')?.id
    let old = id && document.getElementById(id)
    while (old && old.parentNode !== parent) old = old.parentNode
    pair(old, node)
  }
  for (const node of wanted) {
    if (found.has(node)) continue
    for (const old of left) {
      if (!alike(old, node)) continue
      pair(old, node)
      break
    }
  }
  return { found, left }
}

// Whether one can become the other without losing what it is.
function alike(a, b) {
  if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) return false
  if (!isElement(a)) return true
  const same = (name) => a.getAttribute(name) === b.getAttribute(name)
  if (a.id !== b.id || a.hasAttribute(KEEP) !== b.hasAttribute(KEEP)) return false
  if (a.localName === 'leptos-island') return same('data-component')
  return !a.matches('input, textarea, select, button') || (same('name') && a.type === b.type)
}

function morphNode(old, node, run) {
  if (!isElement(old)) {
    if (old.nodeValue === node.nodeValue) return
    old.nodeValue = node.nodeValue
    if (old.nodeType === Node.TEXT_NODE) run.changed.add(old.parentElement)
    return
  }
  if (old.hasAttribute(KEEP) || old.localName === 'script') return
  if (old.localName === 'leptos-island') return morphIsland(old, node, run)
  // Somebody is writing in it.
  if (old.isContentEditable && holdsFocus(old)) return

  const settle = fieldState(old, run)
  morphAttributes(old, node, run)
  if (old.localName === 'template') morphChildren(old.content, node.content, run)
  else morphChildren(old, node, run)
  settle?.()
}

function morphAttributes(old, node, run) {
  const change = (name, make) => {
    make()
    if (!name.startsWith('data-')) run.changed.add(old)
  }
  for (const attribute of node.attributes) {
    const { name, value } = attribute
    if (isOurs(old, name) || old.getAttribute(name) === value) continue
    // As a node: the parser takes names that setAttribute refuses.
    change(name, () => old.setAttributeNode(attribute.cloneNode()))
  }
  for (const { name } of [...old.attributes]) {
    if (!isOurs(old, name) && !node.hasAttribute(name)) change(name, () => old.removeAttribute(name))
  }
  if (opens(old)) {
    const open = node.hasAttribute('open')
    if (old.open === openByServer.get(old) && old.open !== open) change('open', () => old.toggleAttribute('open', open))
    openByServer.set(old, open)
  }
}

// Attributes that are not the server's to change: the browser hides a nonce, and `open` has rules of its own.
function isOurs(element, name) {
  return name === CHANGED || name === 'nonce' || (name === 'open' && opens(element))
}

function opens(element) {
  return element.localName === 'details' || element.localName === 'dialog'
}

function rememberOpen(root) {
  if (opens(root)) openByServer.set(root, root.open)
  for (const element of root.querySelectorAll('details, dialog')) openByServer.set(element, element.open)
}

function morphIsland(old, node, run) {
  const names = new Set([...old.getAttributeNames(), ...node.getAttributeNames()])
  names.delete(CHANGED)
  if ([...names].every((name) => old.getAttribute(name) === node.getAttribute(name))) {
    const [holes, contents] = [holesOf(old), holesOf(node)]
    if (holes.length === contents.length) holes.forEach((hole, i) => morphChildren(hole, contents[i], run))
  } else if (holdsFocus(old)) {
    run.waits = true
  } else {
    old.replaceWith(node)
    noteAdded(node, run)
  }
}

// Where an island shows content of the server.
function holesOf(island) {
  return [...island.querySelectorAll('leptos-children')].filter((hole) => hole.closest('leptos-island') === island)
}

function noteAdded(node, run) {
  if (isElement(node)) run.added.push(node)
  const element = isElement(node) ? node : node.parentElement
  if (element && (isElement(node) || node.nodeValue.trim())) run.changed.add(element)
}

function mark(element) {
  element.setAttribute(CHANGED, '')
  clearTimeout(marks.get(element))
  marks.set(element, setTimeout(() => element.removeAttribute(CHANGED), MARKED_MS))
  element.dispatchEvent(new CustomEvent('tropos:changed', { bubbles: true }))
}

function isElement(node) {
  return node.nodeType === Node.ELEMENT_NODE
}

function holdsFocus(element) {
  return element.contains(document.activeElement)
}

// --- fields ---

// How to read what a field holds, what the server would have it hold, and how to set it.
const texts = {
  read: (field) => field.value,
  // A colour or a range makes something of no value: what the browser makes of the default is the default.
  byServer: (field) => {
    const copy = field.cloneNode(true)
    copy.value = copy.defaultValue
    return copy.value
  },
  write: (field, value) => (field.value = value),
}
const checks = {
  read: (field) => field.checked,
  byServer: (field) => field.defaultChecked,
  write: (field, value) => (field.checked = value),
}
const choices = {
  read: (select) => JSON.stringify([...select.selectedOptions].map((option) => option.value)),
  byServer: (select) => JSON.stringify(defaultChoice(select)),
  write: (select, value) => {
    const there = [...select.options].map((option) => option.value)
    const wanted = JSON.parse(value)
    const possible = wanted.filter((value) => there.includes(value))
    const choice = wanted.length && !possible.length ? defaultChoice(select) : possible
    for (const option of select.options) {
      const selected = choice.includes(option.value)
      if (option.selected !== selected) option.selected = selected
    }
  },
}

function defaultChoice(select) {
  const options = [...select.options]
  const byServer = options.filter((option) => option.defaultSelected)
  if (select.multiple) return byServer.map((option) => option.value)
  const one = byServer.at(-1) ?? (select.size > 1 ? undefined : options.find((option) => !option.disabled))
  return one ? [one.value] : []
}

function kindOf(field) {
  if (field.localName === 'select') return choices
  if (field.localName === 'textarea') return texts
  if (field.localName !== 'input' || field.type === 'file') return null
  return field.type === 'checkbox' || field.type === 'radio' ? checks : texts
}

// Notes what a field holds. To call the result, after its attributes and children have changed, settles what it shows.
function fieldState(field, run) {
  const kind = kindOf(field)
  if (!kind) return null
  const focused = field === document.activeElement
  const value = kind.read(field)
  const edited = value !== kind.byServer(field) && value !== heldBack.get(field)
  const { selectionStart, selectionEnd, selectionDirection } = field
  heldBack.delete(field)
  return () => {
    const byServer = kind.byServer(field)
    if (focused && !edited && value !== byServer) {
      heldBack.set(field, value)
      run.waits = true
    }
    const wanted = focused || edited ? value : byServer
    if (kind.read(field) === wanted) return
    kind.write(field, wanted)
    if (focused && selectionStart != null) field.setSelectionRange(selectionStart, selectionEnd, selectionDirection)
  }
}

// --- what a node says, as a number ---

// The same for what looks the same; equal by chance does no harm, since what is paired is still compared.
function signOf(node, signs) {
  let sign = signs.get(node)
  if (sign === undefined) {
    sign = isElement(node) ? signOfElement(node, signs) : hash(node.nodeValue ?? '', node.nodeType)
    signs.set(node, sign)
  }
  return sign
}

function signOfElement(element, signs) {
  let sign = hash(element.localName, 1)
  let attributes = 0
  for (const { name, value } of element.attributes) {
    if (!isOurs(element, name)) attributes ^= hash(value, hash(name, 2))
  }
  sign = hash(String(attributes), sign)
  // What an island shows by now is its own affair.
  if (element.localName === 'leptos-island') return sign
  for (const child of element.childNodes) sign = Math.imul(sign ^ signOf(child, signs), 16777619)
  return sign
}

function hash(text, seed) {
  for (let i = 0; i < text.length; i++) seed = Math.imul(seed ^ text.charCodeAt(i), 16777619)
  return seed
}

// --- the start ---

function start() {
  const url = document.querySelector('meta[name="tropos-live"]')?.content
  if (!url) return
  rememberOpen(document.body)
  let newest = ''
  let waits = false
  const show = (html) => {
    newest = html
    waits = morph(document.body, html)
  }
  // Once the event is over: only then it is known where the focus went.
  addEventListener('focusout', () => waits && setTimeout(() => waits && show(newest)))
  follow(url, show)
}

// A page that is prerendered in case it is visited does not follow its data yet.
if (document.prerendering) document.addEventListener('prerenderingchange', start, { once: true })
else start()
