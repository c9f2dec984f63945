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

/** Loads the page again. */
export function reload() {
  const focus = document.activeElement === document.body ? null : document.activeElement
  const state = {
    at: Date.now(),
    scroll: [scrollX, scrollY],
    scrolled: [...document.querySelectorAll('body *')].filter((e) => e.scrollTop || e.scrollLeft).slice(0, 100).map((e) => [pathTo(e), e.scrollLeft, e.scrollTop]),
    focus: focus && pathTo(focus),
    selection: focus && 'selectionStart' in focus && focus.selectionStart !== null ? [focus.selectionStart, focus.selectionEnd] : null,
    fields: fields().filter(changed).map((field) => [pathTo(field), field.name ?? '', stateOf(field)]),
  }
  try {
    sessionStorage.setItem(KEY, JSON.stringify(state))
  } catch {
    // Full, or forbidden: then it is a plain load.
  }
  location.reload()
}

let state = null

/** What was kept for this page is put back; once. */
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
  history.scrollRestoration = 'manual'
  fill(() => true)
  place()
  addEventListener('load', place, { once: true })
}

function place() {
  if (!state) return
  for (const [path, left, top] of state.scrolled) document.querySelector(path)?.scrollTo(left, top)
  scrollTo(...state.scroll)
  history.scrollRestoration = 'auto'
}

/** Islands hear of what was entered in them, once they listen. */
export function restoreIslands() {
  if (state) fill((field) => field.closest('leptos-island') !== null, true)
}

function fill(which, tell = false) {
  for (const [path, name, { value, checked, chosen, open }] of state.fields) {
    const field = document.querySelector(path)
    // Another field stands there now.
    if (!field || (field.name ?? '') !== name || !which(field)) continue
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
