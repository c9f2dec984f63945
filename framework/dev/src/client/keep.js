// Loading a page again without losing the place: scroll, focus and what was entered are kept over it.

const KEY = `tropos-dev:${location.pathname}${location.search}`
/** A state that is older belongs to another visit. */
const LONGEST_MS = 60_000
/** More fields than a person fills in. */
const MOST_FIELDS = 500

/** A way to find an element again: its id, or the places from the root. */
function pathTo(element) {
  if (element.id) return `#${CSS.escape(element.id)}`
  const steps = []
  for (let at = element; at.parentElement; at = at.parentElement) {
    if (at.id) return [`#${CSS.escape(at.id)}`, ...steps].join(' > ')
    steps.unshift(`:nth-child(${[...at.parentElement.children].indexOf(at) + 1})`)
  }
  return [':root', ...steps].join(' > ')
}

function fields() {
  const all = document.querySelectorAll('input, textarea, select, details')
  return [...all].filter((field) => !['password', 'file', 'hidden', 'submit', 'button'].includes(field.type)).slice(0, MOST_FIELDS)
}

const stateOf = (field) =>
  field.localName === 'details'
    ? { open: field.open }
    : field.type === 'checkbox' || field.type === 'radio'
      ? { checked: field.checked }
      : field.multiple
        ? { chosen: [...field.selectedOptions].map((option) => option.value) }
        : { value: field.value }

/** Whether the user has made it other than it was served. */
function changed(field) {
  if (field.localName === 'details') return true
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked !== field.defaultChecked
  if (field.localName === 'select') return true
  return field.value !== field.defaultValue
}

/** What was kept over the last load. @type {object | null} */
let state = null
/** Those of its fields that were there to take what was kept; what became of it since is the page's. */
const taken = new Set()
/** Whether the page was long enough to be scrolled to where it was. */
let reached = false
/** Whether the user has gone elsewhere since. */
let moved = false
/** Whether the page only says why there is none: the dev server's own. What was kept is for the one that comes after it. */
const screen = document.documentElement.hasAttribute('data-tropos-screen')

function write(state) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state))
  } catch {
    // Full, or forbidden: then it is a plain load.
  }
}

/** The element that something was kept of; another one may stand in its place now. */
function find([path, name]) {
  const field = document.querySelector(path)
  return field && (field.name ?? '') === name ? field : null
}

/** What the page holds now, and what of the last load it could not take: a second load may follow at once. */
function present() {
  if (screen) return { ...state, at: Date.now() }
  const focus = document.activeElement === document.body ? null : document.activeElement
  const now = {
    at: Date.now(),
    scroll: [scrollX, scrollY],
    scrolled: [...document.querySelectorAll('body *')].filter((e) => e.scrollTop || e.scrollLeft).slice(0, 100).map((e) => [pathTo(e), e.scrollLeft, e.scrollTop]),
    focus: focus && pathTo(focus),
    selection: focus && 'selectionStart' in focus && focus.selectionStart !== null ? [focus.selectionStart, focus.selectionEnd] : null,
    fields: fields().filter(changed).map((field) => [pathTo(field), field.name ?? '', stateOf(field)]),
  }
  if (!state) return now
  if (!reached && !moved) now.scroll = state.scroll
  if (!focus && state.focus && !document.querySelector(state.focus)) [now.focus, now.selection] = [state.focus, state.selection]
  now.fields = [...now.fields, ...state.fields.filter((field) => !taken.has(field))].slice(0, MOST_FIELDS)
  return now
}

/** Loads the page again. */
export function reload() {
  // A screen that nothing was kept for has nothing to give on.
  if (state || !screen) write(present())
  location.reload()
}

/** What was kept for this page is put back, once; what has no place in it is kept for the next load. */
export function restore() {
  try {
    state = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
    sessionStorage.removeItem(KEY)
  } catch {
    state = null
  }
  if (!state || Date.now() - state.at > LONGEST_MS) {
    state = null
    return
  }
  if (screen) {
    // However it is left: it loads itself again.
    addEventListener('pagehide', () => write(present()))
    return
  }
  history.scrollRestoration = 'manual'
  fill(() => true)
  place()
  addEventListener('load', place, { once: true })
}

/** Where the user goes, the page stays. */
for (const kind of ['wheel', 'touchmove', 'keydown', 'mousedown']) addEventListener(kind, () => (moved = true), { once: true, passive: true })

function place() {
  if (!state) return
  if (!moved) {
    for (const [path, left, top] of state.scrolled) document.querySelector(path)?.scrollTo(left, top)
    scrollTo(...state.scroll)
    const [left, top] = state.scroll
    // By less than a pixel, where the screen's pixels are smaller than those of the page.
    reached = Math.abs(scrollX - left) < 1 && Math.abs(scrollY - top) < 1
  }
  // Not before: until the page is loaded, the browser would scroll to where it was on a page that stood in between.
  if (document.readyState === 'complete') setTimeout(() => (history.scrollRestoration = 'auto'))
}

/** Islands hear of what was entered in them, once they listen. */
export function restoreIslands() {
  if (state && !screen) fill((field) => field.closest('leptos-island') !== null, true)
}

function fill(which, tell = false) {
  for (const kept of state.fields) {
    const field = find(kept)
    if (!field || !which(field)) continue
    taken.add(kept)
    const { value, checked, chosen, open } = kept[2]
    try {
      if (open !== undefined) field.open = open
      else if (checked !== undefined) field.checked = checked
      else if (chosen) for (const option of field.options) option.selected = chosen.includes(option.value)
      else field.value = value
    } catch {
      // Of another kind now: one for files takes no value, and an input has no options.
      continue
    }
    if (tell && open === undefined) for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }))
  }
  const focused = state.focus && document.querySelector(state.focus)
  if (!focused || !which(focused)) return
  focused.focus({ preventScroll: true })
  try {
    if (state.selection) focused.setSelectionRange?.(...state.selection)
  } catch {
    // A number, say, has no selection.
  }
}
