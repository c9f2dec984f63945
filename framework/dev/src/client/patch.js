// Patches of views: what `view!` says changes in the open page, without a compile. See docs/internals/dev-patches.md.
//
// A view is found by the comments that Leptos writes around it. Its old template is laid beside the nodes between them;
// if it fits in exactly one way, the new nodes are built of the old ones: what Rust made is moved and never made anew.
// If anything is not certain, nothing of the view is touched, and the page is loaded again once the compile is through.

/**
 * @typedef {{n: number, text?: string, tag?: string, children?: Old[], inner?: Inner[]}} Old
 * @typedef {{n?: number, text?: string, tag?: string, run?: number, set?: Record<string, string>, remove?: string[],
 *   class?: [string, string], children?: New[]}} New
 * @typedef {{many: boolean, old: Old[], new: New[]}} Inner
 * @typedef {{id: string, base: string, from: string, to: string, old: Old[], new: New[]}} ViewPatch
 * @typedef {Map<number, ChildNode[]>} Fit which nodes each old one is
 * @typedef {{parent: ParentNode & Node, nodes: ChildNode[], after: ChildNode | null, fit: Fit, old: Old[], wanted: New[]}} Job
 */

const PREFIX = 'hot-reload|'

class NoFit extends Error {}

/** What each place of a view shows, by its opening comment. One that is not in it shows what was compiled. */
const shown = new WeakMap()
/** All patches since the page was loaded, by view. @type {Map<string, ViewPatch[]>} */
const known = new Map()
/** Comments that were taken out of islands until these are hydrated. */
let lifted = []

/**
 * Applies patches to all places of their views.
 * @param {ViewPatch[]} patches
 * @returns {{patched: number, failed: string[]}} `failed`: why the page must be loaded again, later
 */
export function applyPatches(patches) {
  for (const patch of patches) {
    if (!known.has(patch.id)) known.set(patch.id, [])
    known.get(patch.id).push(patch)
  }
  return applyKnown(patches.map((patch) => patch.id))
}

/** Applies what is known to what came into the page since. */
export function reapply() {
  return applyKnown([...known.keys()])
}

/** Forgets what places show: the server has written them anew. @param {Node} root */
export function rewritten(root) {
  for (const [open] of markers(root)) shown.delete(open)
}

function applyKnown(ids) {
  const result = { patched: 0, failed: [] }
  const places = new Map()
  for (const [open, close, id] of markers(document)) {
    if (!places.has(id)) places.set(id, [])
    places.get(id).push([open, close])
  }
  for (const id of new Set(ids)) {
    const found = places.get(id) ?? []
    // Rendered by an island itself, and so without comments: then only a load shows it.
    if (found.length === 0 && document.querySelector('leptos-island')) result.failed.push(`${id}: not found beside islands`)
    for (const [open, close] of found) {
      try {
        if (close === null) throw new NoFit('a marker without its end')
        result.patched += bringUp(id, open, close)
      } catch (error) {
        if (!(error instanceof NoFit)) console.error('tropos: a patch failed', error)
        result.failed.push(`${id}: ${error.message}`)
      }
    }
  }
  return result
}

/** Brings one place to the newest state. Returns 1 if that changed something. */
function bringUp(id, open, close) {
  const patches = known.get(id)
  const target = patches[patches.length - 1].to
  let done = 0
  for (let steps = 0; (shown.get(open) ?? patches[0].base) !== target; steps++) {
    const from = shown.get(open) ?? patches[0].base
    const next = patches.findLast((patch) => patch.from === from && patch.to === target) ?? patches.findLast((patch) => patch.from === from)
    if (!next || steps > patches.length) throw new NoFit(`the page shows ${from}, for which there is no patch`)
    patchOne(next, open, close)
    shown.set(open, next.to)
    done = 1
  }
  return done
}

function patchOne(patch, open, close) {
  const parent = open.parentNode
  if (!parent) throw new NoFit('it has no parent')
  const nodes = []
  for (let node = open.nextSibling; node !== close; node = node.nextSibling) {
    if (!node) throw new NoFit('a marker without its end')
    nodes.push(node)
  }
  const fit = lay(patch.old, nodes)
  const jobs = [...innerJobs(patch.old, fit), { parent, nodes, after: open, fit, old: patch.old, wanted: patch.new }]
  for (const job of jobs) check(job)
  for (const job of jobs) build(job)
}

// --- finding ---

/** Pairs of comments in document order: [open, close, id]; `close` is null where it is not a sibling. */
export function markers(root) {
  const found = []
  const stacks = new Map()
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_COMMENT)
  while (walker.nextNode()) {
    const comment = walker.currentNode
    if (!comment.data.startsWith(PREFIX)) continue
    const [, id, end] = comment.data.split('|')
    if (!stacks.has(comment.parentNode)) stacks.set(comment.parentNode, [])
    const stack = stacks.get(comment.parentNode)
    if (end === 'open') {
      const entry = [comment, null, id]
      stack.push(entry)
      found.push(entry)
    } else if (stack.length > 0 && stack[stack.length - 1][2] === id) stack.pop()[1] = comment
  }
  return found
}

/** Nodes that count, each with its place; all between two markers counts as one. @returns {[number, number][]} */
function units(nodes) {
  const found = []
  for (let at = 0; at < nodes.length; at++) {
    const node = nodes[at]
    if (node.nodeType === Node.COMMENT_NODE) {
      if (node.data.startsWith(PREFIX)) {
        const from = at
        for (let depth = 0; ; at++) {
          const data = nodes[at]?.nodeType === Node.COMMENT_NODE ? nodes[at].data : ''
          if (at >= nodes.length) throw new NoFit('a marker without its end')
          if (data.startsWith(PREFIX)) depth += data.endsWith('|open') ? 1 : -1
          if (depth === 0) break
        }
        found.push([from, at + 1])
      } else if (node.data !== '' && node.data !== '<() />') found.push([at, at + 1])
    } else if (node.nodeType !== Node.DOCUMENT_TYPE_NODE && !isOurs(node)) found.push([at, at + 1])
  }
  return found
}

/** Whether a node is of the dev server: it stands in no template. */
function isOurs(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false
  return node.hasAttribute('data-tropos-dev') || (node.localName === 'script' && (node.getAttribute('src') ?? '').startsWith('/_tropos/dev/'))
}

/** Lays a template beside nodes; throws unless there is exactly one way. @param {Old[]} old @returns {Fit} */
function lay(old, nodes) {
  const found = tryLay(old, nodes)
  if (found === null) throw new NoFit('the page is not what the source said')
  return found
}

/** Nodes held beside nodes while one thing is searched for: with it, two thousand alike beside each other are given up in a blink. */
const MOST_STEPS = 1_000_000

/** How many are left; only a search has a limit, since what is between markers is laid once. */
let steps = Infinity

/** As `lay`, but null where there is no way. */
function tryLay(old, nodes) {
  const list = units(nodes)
  const [m, n] = [old.length, list.length]
  steps -= (m + 1) * (nodes.length + 1)
  if (steps < 0) throw new NoFit('children of a component could be in too many places')
  const fits = new Map()
  // ways[i][j]: in how many ways old[i..] is list[j..]; 2 stands for more.
  const ways = Array.from({ length: m + 1 }, () => new Uint8Array(n + 1))
  ways[m][n] = 1
  for (let i = m - 1; i >= 0; i--) {
    for (let j = n; j >= 0; j--) {
      if (old[i].inner) ways[i][j] = Math.min(2, ways[i + 1][j] + (j < n ? ways[i][j + 1] : 0))
      else if (j < n && ways[i + 1][j + 1] > 0 && list[j][1] === list[j][0] + 1) {
        const fit = layOne(old[i], nodes[list[j][0]])
        if (fit === null) continue
        fits.set(i * (n + 1) + j, fit)
        ways[i][j] = ways[i + 1][j + 1]
      }
    }
  }
  if (ways[0][0] === 0) return null
  if (ways[0][0] > 1) throw new NoFit('the page is what the source said in more than one way')
  const found = new Map()
  let before = 0
  for (let i = 0, j = 0; i < m; i++) {
    if (old[i].inner) {
      while (ways[i + 1][j] === 0) j++
      const to = i + 1 === m ? nodes.length : list[j][0]
      found.set(old[i].n, nodes.slice(before, to))
      before = to
    } else {
      for (const [number, list] of fits.get(i * (n + 1) + j)) found.set(number, list)
      before = list[j++][1]
    }
  }
  return found
}

function layOne(old, node) {
  if (old.text !== undefined) return node.nodeType === Node.TEXT_NODE && node.data === old.text ? new Map([[old.n, [node]]]) : null
  if (node.nodeType !== Node.ELEMENT_NODE || node.localName !== old.tag) return null
  const fit = old.children ? tryLay(old.children, [...node.childNodes]) : new Map()
  return fit?.set(old.n, [node]) ?? null
}

/** What is to be done among the children of components, wherever these rendered them. @returns {Job[]} */
function innerJobs(old, fit) {
  const jobs = []
  for (const node of old) {
    for (const inner of node.inner ?? []) {
      const places = []
      steps = MOST_STEPS
      try {
        search(fit.get(node.n), inner.old, places)
      } finally {
        steps = Infinity
      }
      if (places.length === 0 || (places.length > 1 && !inner.many)) throw new NoFit(`children of a component are there ${places.length} times`)
      for (const [nodes, fit] of places) {
        jobs.push({ parent: nodes[0].parentNode, nodes, after: nodes[0].previousSibling, fit, old: inner.old, wanted: inner.new })
      }
    }
    if (node.children) jobs.push(...innerJobs(node.children, fit))
  }
  return jobs
}

function search(nodes, wanted, found) {
  const list = units(nodes)
  // Without a run, as many as are wanted; with one, any number.
  const fixed = wanted.some((node) => node.inner) ? 0 : wanted.length
  const [first, last] = [wanted[0], wanted[wanted.length - 1]]
  for (let a = 0; a < list.length; a++) {
    if (!mayBe(first, nodes[list[a][0]])) continue
    for (let b = a + (fixed || 1); b <= (fixed ? Math.min(a + fixed, list.length) : list.length); b++) {
      if (!mayBe(last, nodes[list[b - 1][0]])) continue
      const part = nodes.slice(list[a][0], list[b - 1][1])
      const fit = tryLay(wanted, part)
      if (fit) found.push([part, fit])
    }
  }
  for (const [from, to] of list) {
    if (to > from + 1) search(nodes.slice(from + 1, to - 1), wanted, found)
    else if (nodes[from].nodeType === Node.ELEMENT_NODE) search([...nodes[from].childNodes], wanted, found)
  }
}

/** Whether a template's node could be this one, without a look at what is in it. */
function mayBe(old, node) {
  if (old.inner) return true
  return old.text === undefined ? node.localName === old.tag : node.nodeType === Node.TEXT_NODE && node.data === old.text
}

// --- what could go wrong ---

/** Throws where the page would become another than a compile makes. @param {Job} job */
function check(job) {
  if (inIsland(job.parent)) checkIsland(job)
  checkParser(job)
}

function inIsland(node) {
  const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement
  return element?.closest('leptos-island, leptos-children')?.localName === 'leptos-island'
}

/**
 * Rust holds the nodes of an island: the outermost of a view, to take them away again; the parent of a list; and what it
 * takes away must not be gone already.
 */
function checkIsland({ fit, old, wanted }) {
  const same = old.length === wanted.length && wanted.every((node, at) => (node.run ?? node.n) === old[at].n)
  if (!same) throw new NoFit('the outermost nodes of a view in an island change')
  const after = parents(wanted)
  for (const [n, parent] of parents(old)) {
    const seen = fit.get(n).filter((node) => node.nodeType !== Node.COMMENT_NODE)
    if (seen.length === 1 && seen[0].nodeType === Node.TEXT_NODE) continue
    if (after.get(n) !== parent) throw new NoFit('what Rust made would leave its place in an island')
  }
}

/** In which old element each run stands; -1 for none, undefined for a new one. */
function parents(nodes, parent = -1, found = new Map()) {
  for (const node of nodes) {
    if (node.run !== undefined || node.inner) found.set(node.run ?? node.n, parent)
    else if (node.children) parents(node.children, node.n, found)
  }
  return found
}

/** Throws where a parser would make other nodes of the new HTML than the template has: a <tr> alone in a <table>. */
function checkParser({ parent, wanted }) {
  if (!wanted.some(isNew)) return
  const chain = []
  for (let node = parent; node && node.nodeType === Node.ELEMENT_NODE; node = node.parentNode) chain.unshift(node)
  const root = chain.findIndex((node) => node.namespaceURI !== 'http://www.w3.org/1999/xhtml')
  const html = root === -1 ? chain : chain.slice(0, root + 1)
  const skip = html.filter((node) => node.localName !== 'html' && node.localName !== 'body' && node.localName !== 'head')
  if (html.some((node) => node.localName === 'head')) return
  const text = skip.map((node) => `<${node.localName}>`).join('') + outline(wanted)
  const parsed = new DOMParser().parseFromString(`<!DOCTYPE html><body>${text}`, 'text/html')
  let at = parsed.body
  for (const node of skip) {
    const inner = at.lastElementChild
    if (!inner || inner.localName !== node.localName) throw new NoFit('a parser would make something else of it')
    at = inner
  }
  if (outlineOf(at) !== outline(wanted)) throw new NoFit('a parser would make something else of it')
}

function isNew(node) {
  return (node.tag !== undefined && node.n === undefined) || (node.children ?? []).some(isNew) || node.children?.some((child) => child.run !== undefined) === true
}

const VOID = /^(area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)$/

function outline(nodes) {
  return nodes
    .filter((node) => node.tag !== undefined)
    .map((node) => (VOID.test(node.tag) ? `<${node.tag}>` : `<${node.tag}>${outline(node.children ?? [])}</${node.tag}>`))
    .join('')
}

function outlineOf(element) {
  return [...element.children]
    .map((child) => (VOID.test(child.localName) ? `<${child.localName}>` : `<${child.localName}>${outlineOf(child)}</${child.localName}>`))
    .join('')
}

// --- building ---

/** @param {Job} job */
function build({ parent, nodes, after, fit, wanted }) {
  const kept = new Set()
  const keep = (list) => {
    for (const node of list) {
      for (const old of fit.get(node.run ?? node.n) ?? []) kept.add(old)
      keep(node.children ?? [])
    }
  }
  keep(wanted)
  place(parent, after, nodes, fit, wanted, kept)
}

function place(parent, after, old, fit, wanted, kept) {
  const elements = []
  let at = after ? after.nextSibling : parent.firstChild
  const put = (node) => {
    // Comments stay where they are: some are places that Rust remembers.
    while (at && at !== node && at.nodeType === Node.COMMENT_NODE && at.data === '' && !kept.has(at)) at = at.nextSibling
    if (at === node) at = at.nextSibling
    else if (parent.moveBefore && node.isConnected && parent.isConnected) parent.moveBefore(node, at)
    else parent.insertBefore(node, at)
  }
  for (const node of wanted) {
    if (node.run !== undefined) {
      for (const one of fit.get(node.run)) put(one)
      continue
    }
    const found = node.n === undefined ? null : fit.get(node.n)[0]
    const one = found ?? (node.tag === undefined ? document.createTextNode('') : create(parent, node.tag))
    if (node.text !== undefined && one.data !== node.text) one.data = node.text
    put(one)
    if (node.tag !== undefined) {
      attributes(one, node)
      elements.push([one, node])
    }
  }
  // What is kept, and not yet placed, is placed further in.
  for (const node of old) {
    if (!kept.has(node) && node.nodeType !== Node.COMMENT_NODE && !isOurs(node) && node.parentNode === parent) node.remove()
  }
  for (const [element, node] of elements) {
    if (node.children) place(element, null, [...element.childNodes], fit, node.children, kept)
  }
}

/** An element as a parser makes it here. */
function create(parent, tag) {
  const html = 'http://www.w3.org/1999/xhtml'
  if (tag === 'svg') return document.createElementNS('http://www.w3.org/2000/svg', tag)
  const foreign = parent.namespaceURI && parent.namespaceURI !== html && parent.localName !== 'foreignObject'
  return document.createElementNS(foreign ? parent.namespaceURI : html, tag)
}

function attributes(element, node) {
  for (const [name, value] of Object.entries(node.set ?? {})) {
    // A policy for contents may forbid the attribute, and not the property.
    if (name === 'style') element.style.cssText = value
    else element.setAttribute(name, value)
  }
  for (const name of node.remove ?? []) element.removeAttribute(name)
  if (!node.class) return
  const [before, after] = node.class
  const present = element.getAttribute('class') ?? ''
  const names = (text) => text.split(/\s+/).filter(Boolean)
  const own = new Set([...names(before), ...names(after)])
  const others = names(present).filter((name) => !own.has(name))
  element.setAttribute('class', present === before ? after : [...names(after), ...others].join(' '))
}

// --- islands ---

/**
 * Takes the comments out of islands that are not hydrated yet: Leptos walks their nodes one by one, and expects no others.
 * @param {ParentNode} root
 */
export function liftMarkers(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_COMMENT)
  const comments = []
  while (walker.nextNode()) {
    const comment = walker.currentNode
    if (comment.data.startsWith(PREFIX) && inIsland(comment.parentNode)) comments.push(comment)
  }
  for (const comment of comments) {
    lifted.push([comment, comment.parentNode, comment.nextSibling])
    comment.remove()
  }
}

/** Puts them back, once the islands are hydrated. */
export function restoreMarkers() {
  for (const [comment, parent, next] of lifted.reverse()) {
    if (next === null || next.parentNode === parent) parent.insertBefore(comment, next)
  }
  lifted = []
}

/**
 * Gives views the names that they have in the program that runs now.
 * @param {{from: string, to: string}[]} names
 */
export function renameMarkers(names) {
  const to = new Map(names.map((name) => [name.from, name.to]))
  const all = markers(document)
  for (const [open, close, id] of all) {
    if (!to.has(id)) continue
    open.data = `${PREFIX}${to.get(id)}|open`
    if (close) close.data = `${PREFIX}${to.get(id)}|close`
  }
}

/** After a compile: earlier patches lead nowhere, and views have new names. */
export function compiled(names) {
  renameMarkers(names)
  known.clear()
}
