// Chromium, open and looking: what a page shows, told to this process whenever it changes.

import { launch } from '../browser/chromium.mjs'

/** Runs in each page before its own scripts. */
function look() {
  // Frames of the page are not looked at.
  if (window !== top) return
  const shadow = (host, inner) => {
    const found = document.querySelector(host)?.shadowRoot?.querySelector(inner)
    return found ? found.textContent : null
  }
  let told = ''
  const tell = () => {
    if (!document.body) return
    const seen = {
      loaded: performance.timeOrigin,
      html: (document.querySelector('main')?.innerHTML ?? '').replace(/<!--.*?-->/gs, ''),
      color: getComputedStyle(document.body).color,
      picture: document.querySelector('main img')?.naturalWidth ?? 0,
      overlay: shadow('tropos-dev-overlay', 'dialog') ?? shadow('nextjs-portal', '[data-nextjs-dialog-overlay]'),
      // Of the process that served it.
      version: Number(document.querySelector('script[src*="/_tropos/dev/client.js"]')?.src.split('v=')[1] ?? 0),
      hydrated: !document.querySelector('leptos-island') || document.documentElement.hasAttribute('data-tropos-hydrated'),
    }
    const text = JSON.stringify(seen)
    if (text === told) return
    told = text
    window.toldByPage(seen)
  }
  new MutationObserver(tell).observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
  for (const name of ['load', 'tropos:dev']) document.addEventListener(name, tell, true)
  addEventListener('load', tell)
  // What happens in the shadow of an element, observers do not see.
  setInterval(tell, 20)
}

/** A browser whose pages tell what they show. */
export async function browse() {
  const browser = await launch()
  const context = await browser.newContext()
  const tabs = new Map()
  await context.exposeBinding('toldByPage', ({ page }, seen) => tabs.get(page)?.told(seen))
  await context.addInitScript(look)
  return {
    context,
    async open(url) {
      const page = await context.newPage()
      const tab = new Tab(page)
      tabs.set(page, tab)
      await page.goto(url, { waitUntil: 'load', timeout: 120_000 })
      await tab.until('the page', (seen) => seen.html !== '' || seen.overlay !== null)
      return tab
    },
    close: () => browser.close(),
  }
}

/** One open page. */
class Tab {
  #waiting = new Set()

  constructor(page) {
    this.page = page
    /** What it shows now. */
    this.seen = null
    /** What its scripts threw. */
    this.thrown = []
    page.on('pageerror', (error) => this.thrown.push(String(error)))
  }

  told(seen) {
    seen.at = performance.now()
    this.seen = seen
    for (const one of this.#waiting) {
      if (!one.when(seen)) continue
      this.#waiting.delete(one)
      one.resolve(seen)
    }
  }

  /** What the page shows once it shows that; `seen.at` is when. The deadline is for machines that are busy. */
  until(what, when, within = 180_000) {
    if (this.seen && when(this.seen)) return Promise.resolve(this.seen)
    return new Promise((resolve, reject) => {
      const one = { when }
      const late = setTimeout(() => {
        this.#waiting.delete(one)
        reject(new Error(`${what} is not seen after ${within / 1000} s, but ${JSON.stringify(this.seen)}`))
      }, within)
      one.resolve = (seen) => {
        clearTimeout(late)
        resolve(seen)
      }
      this.#waiting.add(one)
    })
  }
}
