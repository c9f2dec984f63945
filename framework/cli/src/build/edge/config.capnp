# Runs the Worker in workerd, in front of a Tropos server on port 3000:
#   TROPOS_EDGE_SECRET=… workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "origin", external = (address = "127.0.0.1:3000", http = ())),
    # What hooks may fetch.
    (name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "hooks.js", esModule = embed "hooks.js"),
    (name = "hooks_bg.wasm", wasm = embed "hooks_bg.wasm"),
    (name = "routes.json", json = embed "routes.json"),
  ],
  compatibilityDate = "2026-10-01",
  bindings = [
    (name = "ORIGIN", service = "origin"),
    (name = "TROPOS_EDGE_SECRET", fromEnvironment = "TROPOS_EDGE_SECRET"),
    (name = "TROPOS_ORIGIN", fromEnvironment = "TROPOS_ORIGIN"),
    # What hooks sign with, where they do: the server's.
    (name = "TROPOS_SECRET", fromEnvironment = "TROPOS_SECRET"),
  ],
);
