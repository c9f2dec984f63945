//! The tiny application, the dev server on it, and who looks at it.

#[path = "../support/application.rs"]
mod application;

use application::{Application, PROGRAM};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    ops::Deref,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The application, and what is done with it.
pub struct App(Application);

impl Deref for App {
    type Target = Application;
    fn deref(&self) -> &Application {
        &self.0
    }
}

impl App {
    pub fn new() -> Self {
        Self(Application::of("dev-app"))
    }

    /// As editors do: beside, and then renamed.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        let beside = self.path(&format!("{name}~"));
        fs::write(&beside, text.replacen(from, to, 1)).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    /// The processes that work in the application's folder, or for it.
    pub fn processes(&self) -> Vec<String> {
        let folder = self.folder().canonicalize().unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let is_there = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
            if is_there {
                let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push(format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&command)));
            }
        }
        found
    }

    pub fn assert_no_process_is_left(&self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if self.processes().is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("still there: {:?}", self.processes());
    }
}

/// A dev server that runs.
pub struct Dev {
    child: Mutex<Child>,
    pub port: u16,
    printed: Arc<Mutex<String>>,
}

impl Dev {
    pub fn start(app: &App) -> Self {
        let target = Path::new(PROGRAM).ancestors().nth(2).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = app
            .command()
            .args(["dev", "--port", &port.to_string()])
            // Any folder of the application will do.
            .current_dir(app.path("src"))
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("TROPOS_LOG", "warn")
            .env_remove("TROPOS_ADDR")
            .env_remove("PORT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (printed, sender) = (Arc::new(Mutex::new(String::new())), std::sync::mpsc::channel());
        let (stderr, keeps) = (child.stderr.take().unwrap(), printed.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                println!("dev: {line}");
                if let Some((_, port)) = line.split_once(" at http://localhost:") {
                    let _ = sender.0.send(port.trim().parse::<u16>().unwrap());
                }
                let mut printed = keeps.lock().unwrap();
                printed.push_str(&line);
                printed.push('\n');
            }
        });
        let port = sender.1.recv_timeout(Duration::from_secs(60)).expect("it says where it listens");
        Self { child: Mutex::new(child), port, printed }
    }

    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    pub fn wait(&self) {
        self.child.lock().unwrap().wait().unwrap();
    }

    pub fn get(&self, path: &str, lines: &[(&str, &str)]) -> (u16, String) {
        let (status, bytes) = self.get_bytes(path, lines);
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn get_bytes(&self, path: &str, lines: &[(&str, &str)]) -> (u16, Vec<u8>) {
        get(self.port, path, lines).unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn get(port: u16, path: &str, lines: &[(&str, &str)]) -> Result<(u16, Vec<u8>), ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let mut request = agent.get(format!("http://127.0.0.1:{port}{path}"));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let mut response = request.call()?;
    let mut bytes = Vec::new();
    response.body_mut().as_reader().read_to_end(&mut bytes)?;
    Ok((response.status().as_u16(), bytes))
}

/// What an open page is told.
pub struct Events(Arc<(Mutex<Vec<Value>>, Condvar)>);

impl Events {
    pub fn follow(port: u16) -> Self {
        let heard = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let hears = heard.clone();
        std::thread::spawn(move || {
            let response = ureq::get(format!("http://127.0.0.1:{port}/_tropos/dev/events")).call();
            let Ok(mut response) = response else { return };
            for line in BufReader::new(response.body_mut().as_reader()).lines().map_while(Result::ok) {
                if let Some(data) = line.strip_prefix("data: ") {
                    println!("event: {}", data.chars().take(200).collect::<String>());
                    hears.0.lock().unwrap().push(serde_json::from_str(data).unwrap());
                    hears.1.notify_all();
                }
            }
        });
        Self(heard)
    }

    /// How many there were.
    pub fn mark(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }

    pub fn since(&self, mark: usize) -> Vec<Value> {
        self.0.0.lock().unwrap()[mark..].to_vec()
    }

    pub fn wait(&self, kind: &str, at_most: Duration) -> Value {
        self.wait_after(0, kind, at_most)
    }

    /// The first of a kind after a mark.
    pub fn wait_after(&self, mark: usize, kind: &str, at_most: Duration) -> Value {
        let heard = self.0.0.lock().unwrap();
        let missing = |heard: &mut Vec<Value>| !heard[mark..].iter().any(|event| event["kind"] == kind);
        let (heard, result) = self.0.1.wait_timeout_while(heard, at_most, missing).unwrap();
        assert!(!result.timed_out(), "no {kind} in {at_most:?}, but {:?}", heard[mark..].last());
        heard[mark..].iter().find(|event| event["kind"] == kind).unwrap().clone()
    }
}

/// Somebody who asks for the page twenty times a second.
pub struct Visitor(Arc<AtomicBool>, JoinHandle<(usize, Vec<String>)>);

impl Visitor {
    pub fn begin(port: u16) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let visits = std::thread::spawn(move || {
            let (mut answers, mut refused) = (0, Vec::new());
            while !ended.load(Ordering::Relaxed) {
                match get(port, "/", &[("accept", "text/html")]) {
                    Ok((200, _)) => answers += 1,
                    other => refused.push(format!("{:?}", other.map(|(status, _)| status))),
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            (answers, refused)
        });
        Self(ends, visits)
    }

    /// How many answers there were, and what else.
    pub fn end(self) -> (usize, Vec<String>) {
        self.0.store(true, Ordering::Relaxed);
        self.1.join().unwrap()
    }
}
