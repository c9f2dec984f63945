// What the dev server adds to each page: follows its events and changes the open page.
//
// After each event that it has dealt with, `document` is sent `tropos:dev`, whose `detail` has the event and says what was done.

import { applyPatches, compiled, liftMarkers, reapply, restoreMarkers, rewritten } from './patch.js'
import { hideErrors, showErrors } from './overlay.js'
import { hideProgress, showProgress } from './indicator.js'
import { relayConsole } from './console.js'
import { reload, restore, restoreIslands } from './keep.js'

const root = document.documentElement

/** The number of the process that served this page, if the dev server said so. @type {number | null} */
let version = Number(new URL(import.meta.url).searchParams.get('v')) || null
/** Whether the page shows something that no patch could mend. */
let stale = false
/** Patches that came before the islands were hydrated. */
let waiting = []
let hydrating = document.querySelector('script[data-tropos-islands]') !== null && !root.hasAttribute('data-tropos-hydrated')

const handlers = {
  building: (message) => showProgress(message),
  ready(message) {
    hideProgress()
    hideErrors()
    const newer = version !== null && message.version > version
    if (newer && (message.reload || stale)) return reload()
    version = message.version ?? version
    if (newer && message.renamed) compiled(message.renamed)
  },
  errors(message) {
    hideProgress()
    showErrors(message.errors.filter(concerns))
  },
  cleared: () => hideErrors(),
  styles: (message) => swapStyles(message.files),
  files: (message) => swapFiles(message.files),
  patch(message) {
    if (hydrating) return void waiting.push(...message.views)
    return patch(message.views)
  },
  reload: () => reload(),
}

/** Whether a problem belongs over this page: those of other pages stand over these. */
function concerns({ path }) {
  if (path === undefined || path === null) return true
  try {
    return decodeURI(path) === decodeURI(location.pathname)
  } catch {
    return path === location.pathname
  }
}

function patch(views) {
  const result = applyPatches(views)
  if (result.failed.length > 0) {
    stale = true
    console.debug('tropos: the page will be loaded again, since', result.failed)
  }
  return result
}

/** The stream that is open. @type {EventSource | null} */
let source = null
/** When the page stopped to listen, in milliseconds. @type {number | null} */
let left = null

/**
 * Listens, while the page is seen: a browser opens six connections to a host over HTTP/1.1, and tabs that nobody looks at
 * must not hold them all. Who listens again is told how things stand, and which files changed meanwhile.
 */
function follow() {
  if (source || document.hidden) return
  const away = left === null ? '' : `?away=${Date.now() - left + 1000}`
  source = new EventSource(`/_tropos/dev/events${away}`)
  source.onmessage = async (event) => {
    let message
    try {
      message = JSON.parse(event.data)
    } catch {
      return
    }
    const result = await handlers[message.kind]?.(message)
    document.dispatchEvent(new CustomEvent('tropos:dev', { detail: { kind: message.kind, message, ...result } }))
  }
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return
    leave()
    setTimeout(follow, 500)
  }
}

function leave() {
  if (!source) return
  source.close()
  source = null
  left = Date.now()
}

document.addEventListener('visibilitychange', () => (document.hidden ? leave() : follow()))
addEventListener('pagehide', leave)
// A page that comes back from the browser's cache of pages.
addEventListener('pageshow', follow)

// --- style sheets and other files ---

/** The path of an address as the dev server names files: without the escapes in which a space or an umlaut is written. */
function path(url) {
  const { pathname } = new URL(url, document.baseURI)
  try {
    return decodeURIComponent(pathname)
  } catch {
    return pathname
  }
}

function renewed(url) {
  const address = new URL(url, document.baseURI)
  address.searchParams.set('tropos-dev', String(Date.now()))
  return address.origin === location.origin ? address.pathname + address.search + address.hash : address.href
}

/** Loads the new sheet beside the old one, which goes once it is there: the page is never without. */
async function swapStyles(files) {
  const named = (link) => !arriving.has(link) && files.includes(path(link.href))
  const links = [...document.querySelectorAll('link[rel~="stylesheet"]')].filter(named)
  // One is imported by another sheet, or named where no link is.
  if (!files.every((file) => links.some((link) => path(link.href) === file))) reload()
  await Promise.all(links.map(swapStyle))
  return { swapped: links.length }
}

/** For links in whose place another is loaded: gives that up. @type {WeakMap<Element, () => void>} */
const coming = new WeakMap()
/** Links that are loaded in the place of others. */
const arriving = new WeakSet()

function swapStyle(link) {
  // Saved again before the last one was there.
  coming.get(link)?.()
  return new Promise((done) => {
    const next = link.cloneNode()
    next.href = renewed(link.href)
    const end = (gone) => {
      if (coming.get(link) !== giveUp) return
      coming.delete(link)
      arriving.delete(next)
      gone.remove()
      done()
    }
    const giveUp = () => end(next)
    coming.set(link, giveUp)
    arriving.add(next)
    next.onload = () => end(link)
    next.onerror = giveUp
    link.after(next)
  })
}

/** Loads again what names one of the files; the page, if nothing does. */
function swapFiles(files) {
  let swapped = 0
  for (const name of ['src', 'href', 'poster', 'data']) {
    for (const element of document.querySelectorAll(`img[${name}], source[${name}], video[${name}], audio[${name}], link[rel~="icon"][${name}], image[${name}], use[${name}], object[${name}]`)) {
      const value = element.getAttribute(name)
      if (!files.includes(path(value))) continue
      element.setAttribute(name, renewed(value))
      swapped++
    }
  }
  for (const element of document.querySelectorAll('[srcset]')) {
    const named = element.srcset.split(',').some((part) => files.includes(path(part.trim().split(/\s+/)[0])))
    if (!named) continue
    element.srcset = element.srcset.split(',').map((part) => part.trim().replace(/^\S+/, renewed)).join(', ')
    swapped++
  }
  if (swapped === 0) reload()
  return { swapped }
}

// --- islands and live pages ---

function whenHydrated() {
  hydrating = false
  restoreMarkers()
  restoreIslands()
  const hydrate = window.__tropos?.hydrate
  if (hydrate) {
    window.__tropos.hydrate = async (element) => {
      liftMarkers(element)
      try {
        await hydrate(element)
      } finally {
        restoreMarkers()
      }
    }
  }
  if (waiting.length > 0) document.dispatchEvent(new CustomEvent('tropos:dev', { detail: { kind: 'patch', ...patch(waiting) } }))
  waiting = []
}

if (hydrating) {
  liftMarkers(document)
  const observer = new MutationObserver(() => {
    observer.disconnect()
    whenHydrated()
  })
  observer.observe(root, { attributeFilter: ['data-tropos-hydrated'] })
  // Islands that fail to load are never hydrated, and must not hold patches back for ever.
  setTimeout(() => hydrating && whenHydrated(), 10_000)
}

// The script of live pages makes the page what the server says: the old state, until the compile is through.
let morphed = false
document.addEventListener('tropos:changed', () => {
  if (morphed) return
  morphed = true
  queueMicrotask(() => {
    morphed = false
    rewritten(document.body)
    reapply()
  })
})

relayConsole()
follow()
restore()
