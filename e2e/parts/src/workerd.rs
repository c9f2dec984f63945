//! The runtime of Workers, with one Worker in front of an origin.

use crate::{
    Error, PATIENCE,
    poll::blocking,
    program::{Program, free_addresses},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// Where npm has put it, from this crate's folder.
const INSTALLED: &str = "../edge/node_modules/@cloudflare/workerd-linux-64/bin/workerd";

/// How often other ports are tried when somebody took them between the look for them and the start.
const TRIES: usize = 4;

/// How a Worker is to be started.
#[derive(Debug, Clone, Default)]
pub struct WorkerdOptions {
    vars: Vec<(String, String)>,
    tags: bool,
    /// Names, and their values as JSON.
    stores: Vec<(String, String)>,
}

impl WorkerdOptions {
    /// A Worker without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// A variable of its environment, such as `TROPOS_EDGE_SECRET`.
    #[must_use]
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives it a store in which tags are purged.
    #[must_use]
    pub fn tags(mut self) -> Self {
        self.tags = true;
        self
    }

    /// Binds a key-value store that has `values`, a JSON object of texts.
    #[must_use]
    pub fn store(mut self, name: &str, values: &str) -> Self {
        self.stores.push((name.to_owned(), values.to_owned()));
        self
    }

    /// Starts the Worker in `worker`, the folder that `cargo tropos build --edge workers` writes, in front of `origin`, and waits
    /// until it answers.
    ///
    /// # Errors
    /// When workerd is not installed, or does not answer within [`PATIENCE`].
    pub async fn start(self, worker: &Path, origin: SocketAddr) -> Result<Workerd, Error> {
        let worker = worker.to_owned();
        blocking(move || start(&self, &worker, origin)).await
    }
}

/// A Worker of its own, ended when this is dropped. It has a cache in memory.
#[derive(Debug, Clone)]
pub struct Workerd(Arc<Running>);

/// The fields are dropped in this order: the process ends before its folder goes.
#[derive(Debug)]
struct Running {
    program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

impl Workerd {
    /// Starts a Worker without variables.
    ///
    /// # Errors
    /// As [`WorkerdOptions::start`].
    pub async fn start(worker: &Path, origin: SocketAddr) -> Result<Self, Error> {
        WorkerdOptions::new().start(worker, origin).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        self.0.program.tail()
    }
}

/// Where workerd is installed.
pub(crate) fn find() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(INSTALLED);
    path.is_file().then_some(path)
}

fn start(options: &WorkerdOptions, worker: &Path, origin: SocketAddr) -> Result<Workerd, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_start(options, worker, origin) {
            Err(Error::Ended { log, .. }) if tries < TRIES && log.contains("in use") => {}
            other => return other,
        }
    }
}

fn try_start(options: &WorkerdOptions, worker: &Path, origin: SocketAddr) -> Result<Workerd, Error> {
    let missing = || Error::Missing { program: "workerd", package: "workerd of npm, in e2e/edge" };
    let installed = find().ok_or_else(missing)?;
    let folder = tempfile::Builder::new().prefix("tropos-workerd-").tempdir();
    let folder = folder.map_err(Error::io("making a folder for workerd"))?;
    let [address] = free_addresses()?;
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).map_err(Error::io(format!("writing {name}")))
    };
    file("test.capnp", &config(options, address, origin))?;
    file("cache.js", include_str!("../../edge/cache.js"))?;
    file("kv.js", include_str!("../../edge/kv.js"))?;
    copy(worker, &folder.path().join("worker"))
        .map_err(Error::io(format!("copying {}", worker.display())))?;
    let program = Program::new("workerd", folder.path().join("log"));
    let mut command = Command::new(installed);
    program.spawn(command.args(["serve", "test.capnp"]).current_dir(folder.path()), "workerd")?;
    program.until(PATIENCE, "workerd did not answer", || {
        program.check()?;
        Ok(answers(address).then_some(()))
    })?;
    Ok(Workerd(Arc::new(Running { program, address, _folder: folder })))
}

fn config(options: &WorkerdOptions, own: SocketAddr, origin: SocketAddr) -> String {
    let var = |(name, value): &(String, String)| format!("(name = {name:?}, text = {value:?}),");
    let mut bindings: Vec<String> = options.vars.iter().map(var).collect();
    if options.tags {
        bindings.push("(name = \"TAGS\", kvNamespace = \"kv\"),".to_owned());
    }
    let script = "(name = \"kv.js\", esModule = embed \"kv.js\")";
    let service = |(name, values): &(String, String)| {
        format!(
            "(name = {:?}, worker = (modules = [{script}], compatibilityDate = \"2026-10-01\", bindings = [(name = \"VALUES\", text = {values:?})])),",
            format!("kv-{name}")
        )
    };
    let services: Vec<String> = options.stores.iter().map(service).collect();
    let store = |(name, _): &(String, String)| {
        format!("(name = {name:?}, kvNamespace = {:?}),", format!("kv-{name}"))
    };
    bindings.extend(options.stores.iter().map(store));
    include_str!("../../edge/test.capnp")
        .replace("STORES", &services.join("\n    "))
        .replace("ORIGIN_ADDRESS", &origin.to_string())
        .replace("OWN_ADDRESS", &own.to_string())
        .replace("BINDINGS", &bindings.join("\n    "))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Whether anything is answered to a path that the Worker itself refuses.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut first = [0; 5];
        stream.read_exact(&mut first)?;
        Ok(&first == b"HTTP/")
    };
    ask().unwrap_or(false)
}
