# The Worker under test, with what a CDN has around it: a cache and a key-value store, both in memory.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "cache", worker = (modules = [(name = "cache.js", esModule = embed "cache.js")], compatibilityDate = "2026-10-01")),
    (name = "kv", worker = (modules = [(name = "kv.js", esModule = embed "kv.js")], compatibilityDate = "2026-10-01")),
    STORES
    (name = "origin", external = (address = "ORIGIN_ADDRESS", http = ())),
    (name = "internet", network = (allow = ["local", "public"])),
  ],
  sockets = [(name = "http", address = "OWN_ADDRESS", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "worker/index.js"),
    (name = "hooks.js", esModule = embed "worker/hooks.js"),
    (name = "hooks_bg.wasm", wasm = embed "worker/hooks_bg.wasm"),
    (name = "routes.json", json = embed "worker/routes.json"),
  ],
  compatibilityDate = "2026-10-01",
  cacheApiOutbound = "cache",
  bindings = [
    (name = "ORIGIN", service = "origin"),
    BINDINGS
  ],
);
