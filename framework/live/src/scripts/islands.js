// Loads the wasm module of a page and hydrates its islands.
//
// A page says where the module is:
//   <script type="module" src="islands.js" data-tropos-islands data-script="app.js" data-wasm="app.wasm"></script>
//
// Each <leptos-island data-component="ID"> is handed to the module's export ID, outer islands before those within
// them. Before an island within another's <leptos-children>, that element's own `$$on_hydrate` is called: Leptos puts
// it there, and it makes the outer island's context the one that the inner island sees.
//
// `window.__tropos.hydrate(root)` hydrates what came into the page later; what is hydrated already is left alone.
// <html> has the attribute `data-tropos-hydrated` once the first walk is done.

const hydrated = new WeakSet()
let module = null

// Loads the module and hydrates the page.
export async function start(script, wasm) {
  const loaded = await import(script)
  await loaded.default({ module_or_path: wasm })
  loaded.hydrate()
  module = loaded
  await hydrate(document.body)
  document.documentElement.setAttribute('data-tropos-hydrated', '')
}

// Hydrates the islands in `root`, itself included. Before the module is there, nothing: the first walk finds them.
export async function hydrate(root) {
  if (!module) return
  // In document order, which puts the outer before the inner.
  const islands = [...root.querySelectorAll('leptos-island')]
  if (root.matches('leptos-island')) islands.unshift(root)
  for (const island of islands) {
    if (hydrated.has(island) || !island.isConnected) continue
    hydrated.add(island)
    try {
      await hydrateOne(island)
    } catch (error) {
      console.error(`tropos: the island ${island.dataset.component} failed to hydrate`, error)
      window.__tropos.failed?.(error)
    }
  }
}

async function hydrateOne(island) {
  const component = module[island.dataset.component]
  if (!component) throw new Error('the wasm module has no such export: was it built from another version?')
  island.parentElement?.closest('leptos-children')?.$$on_hydrate?.()
  await component(island)
}

window.__tropos = { ...window.__tropos, hydrate }

const loader = document.querySelector('script[data-tropos-islands]')
if (loader) {
  const absolute = (url) => new URL(url, document.baseURI).href
  start(absolute(loader.dataset.script), absolute(loader.dataset.wasm)).catch((error) => {
    console.error('tropos: the islands of this page could not be loaded', error)
    window.__tropos.failed?.(error)
  })
}
