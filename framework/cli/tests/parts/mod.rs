//! The tiny application, this command run on it, and a host that knows nothing but files.

#[path = "../support/application.rs"]
mod application;

use application::{Application, PROGRAM};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    ops::Deref,
    path::{Path, PathBuf},
    process::Stdio,
};

/// The application, and what is done with it.
pub struct App(Application);

impl Deref for App {
    type Target = Application;
    fn deref(&self) -> &Application {
        &self.0
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Run {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// What it printed, where it went well.
    pub fn json(&self) -> Value {
        assert!(self.ok, "{self:?}");
        self.value()
    }

    /// What it printed.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl App {
    pub fn new() -> Self {
        Self(Application::of("tiny"))
    }

    pub fn dist(&self, name: &str) -> Vec<u8> {
        fs::read(self.path("dist").join(name)).unwrap()
    }

    /// Runs the command in the application's folder.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let target = Path::new(PROGRAM).ancestors().nth(2).unwrap();
        let output = self
            .command()
            .args(arguments)
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("TROPOS_WASM_OPT")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { ok: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The build's files with their contents, and the names beside it.
    pub fn everything(&self) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<String>) {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path("dist")];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        let beside = self.folder().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        let mut beside: Vec<_> = beside.map(|name| name.into_string().unwrap()).collect();
        beside.retain(|name| name.starts_with("dist"));
        (files, beside)
    }
}

/// Files of a folder over HTTP, as the simplest of hosts serve them.
pub struct Host(String);

impl Host {
    pub fn serve(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &folder);
            }
        });
        Self(address)
    }

    /// Status and text, where redirects lead.
    pub fn get(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut response = agent.get(format!("{}{path}", self.0)).call().unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        (response.status().as_u16(), String::from_utf8_lossy(&body).into_owned())
    }
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let path = first.split(' ').nth(1).unwrap();
    let file = folder.join(path.trim_start_matches('/'));
    let (status, more, body) = match (file.is_dir(), path.ends_with('/')) {
        (true, false) => ("301 Moved Permanently", format!("location: {path}/\r\n"), Vec::new()),
        (true, true) if file.join("index.html").is_file() => {
            ("200 OK", String::new(), fs::read(file.join("index.html")).unwrap())
        }
        _ if file.is_file() => ("200 OK", String::new(), fs::read(file).unwrap()),
        _ => ("404 Not Found", String::new(), fs::read(folder.join("404.html")).unwrap()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}
