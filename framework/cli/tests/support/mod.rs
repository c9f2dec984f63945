//! An application's folder, an origin that counts what it is asked, and nginx before it.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How long anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Asks again and again, for as long as patience lasts.
pub fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if let Some(found) = ask() {
            return found;
        }
        thread::sleep(PAUSE);
    }
    panic!("not within {PATIENCE:?}");
}

/// A copy of the application that the cases of `deploy` begin with.
pub fn application() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("tests/cmd/deploy.in"), folder.path());
    folder
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Runs the command in a folder; returns whether it succeeded, and what it printed.
pub fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-tropos"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    (output.status.success(), text)
}

pub fn deploy(folder: &Path, arguments: &[&str]) {
    let (fine, text) = run(folder, &[&["deploy"], arguments].concat());
    assert!(fine, "{text}");
}

/// Answers by its path, and counts how often each was asked for.
pub struct Origin {
    pub address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    fails: AtomicBool,
    counts: Mutex<HashMap<String, u32>>,
    /// How many streams may go on.
    permits: Mutex<u32>,
    changed: Condvar,
}

impl Origin {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || state.answer(stream));
            }
        });
        Self { address, state }
    }

    /// From now on, everything is answered by 503, or nothing is.
    pub fn fail(&self, fails: bool) {
        self.state.fails.store(fails, Ordering::SeqCst);
    }

    /// Lets one stream send what is left of it.
    pub fn go_on(&self) {
        *self.state.permits.lock().unwrap() += 1;
        self.state.changed.notify_all();
    }
}

impl State {
    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let path = first.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
        let name = path.trim_start_matches('/');
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(path.to_owned()).or_default();
        if self.fails.load(Ordering::SeqCst) {
            drop(counts);
            let _ = stream.write_all(
                b"HTTP/1.1 503 Service Unavailable\r\ncache-control: no-store\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
            return;
        }
        *count += 1;
        let count = *count;
        drop(counts);
        let plain = |headers: &str, body: String| {
            format!(
                "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        };
        let counted = |headers: &str| plain(headers, format!("{name} {count}"));
        let text = match path {
            "/page" => counted("cache-control: public, max-age=0, s-maxage=1, stale-while-revalidate=30\r\n"),
            "/short" => counted("cache-control: public, max-age=0, s-maxage=1\r\n"),
            "/long" => counted("cache-control: public, max-age=0, s-maxage=600\r\n"),
            "/private" => counted("cache-control: private, no-store\r\n"),
            "/cookie" => counted("cache-control: public, s-maxage=600\r\nset-cookie: a=b\r\n"),
            "/echo" => plain("cache-control: no-store\r\n", head.join("\n").to_ascii_lowercase()),
            path if path.starts_with("/_tropos/assets/") => {
                plain("cache-control: public, max-age=31536000, immutable\r\n", format!("asset {count}"))
            }
            _ => return self.stream(stream),
        };
        let _ = stream.write_all(text.as_bytes());
    }

    /// One event, and another once it may go on.
    fn stream(&self, mut stream: TcpStream) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: private, no-store\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(format!("{head}data: one\n").as_bytes());
        let permits = self.permits.lock().unwrap();
        let (mut permits, late) =
            self.changed.wait_timeout_while(permits, PATIENCE, |permits| *permits == 0).unwrap();
        if !late.timed_out() {
            *permits -= 1;
            let _ = stream.write_all(b"data: two\n");
        }
    }
}

/// nginx with the configuration that `deploy nginx` writes, on ports and in folders of its own.
pub struct Nginx {
    process: Child,
    agent: ureq::Agent,
    tls: u16,
    plain: u16,
    _folder: TempDir,
}

/// What it answered.
pub struct Answer {
    pub status: u16,
    pub body: String,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// What nginx says of its part.
    pub fn cache(&self) -> &str {
        self.header("cache-status")
    }
}

impl Nginx {
    pub fn start(options: &[&str], origin: &Origin) -> Self {
        let folder = application();
        deploy(folder.path(), &[&["nginx", "--domain", "shop.example"], options].concat());
        let written = fs::read_to_string(folder.path().join("shop/deploy/nginx/shop.conf")).unwrap();
        let (tls, plain) = (free_port(), free_port());
        let conf = place(&written, folder.path(), origin, tls, plain);
        certificate(folder.path());
        let nginx = |extra: &[&str]| {
            let mut command = Command::new(nginx_program());
            command.arg("-p").arg(folder.path()).arg("-c").arg(&conf).args(extra);
            command
        };
        let checked = nginx(&["-t", "-q"]).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let process = nginx(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        patiently(|| TcpStream::connect(("127.0.0.1", tls)).ok());
        let tls_config = ureq::tls::TlsConfig::builder().disable_verification(true).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls_config)
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self { process, agent: config.into(), tls, plain, _folder: folder }
    }

    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(&format!("https://127.0.0.1:{}{path}", self.tls), headers)
    }

    pub fn get_plainly(&self, path: &str) -> Answer {
        self.ask(&format!("http://127.0.0.1:{}{path}", self.plain), &[])
    }

    /// The body as it comes.
    pub fn open(&self, path: &str) -> impl Read + use<> {
        let url = format!("https://127.0.0.1:{}{path}", self.tls);
        self.agent.get(url).header("host", "shop.example").call().unwrap().into_body().into_reader()
    }

    fn ask(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(url).header("host", "shop.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call().unwrap();
        Answer {
            status: response.status().as_u16(),
            body: response.body_mut().read_to_string().unwrap(),
            headers: response.headers().clone(),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers, which a kill would leave behind.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

/// Debian keeps it out of the path of ordinary users.
pub fn nginx_program() -> &'static str {
    const FOLDER: &str = "/usr/sbin/nginx";
    if Path::new(FOLDER).is_file() { FOLDER } else { "nginx" }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Puts the configuration into a folder, with the ports, certificates and folders of this test, and nothing else changed.
fn place(written: &str, folder: &Path, origin: &Origin, tls: u16, plain: u16) -> PathBuf {
    let shown = folder.display();
    let site: String = written
        .lines()
        .filter(|line| !line.contains("listen [::]"))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .replace("listen 443", &format!("listen 127.0.0.1:{tls}"))
        .replace("listen 80", &format!("listen 127.0.0.1:{plain}"))
        .replace("server 127.0.0.1:3000", &format!("server {}", origin.address))
        .replace("/var/cache/nginx/", &format!("{shown}/cache-"))
        .replace("/etc/letsencrypt/live/shop.example/", &format!("{shown}/"));
    fs::write(folder.join("site.conf"), site).unwrap();
    // Only root has workers that run as somebody else.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {shown}/{name};\n"))
        .concat();
    let conf = format!(
        "{user}daemon off;\nworker_processes 1;\npid {shown}/nginx.pid;\nerror_log {shown}/error.log;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}include {shown}/site.conf;\n}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, conf).unwrap();
    path
}

/// One that nobody trusts.
fn certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    command.args(["-subj", "/CN=shop.example", "-keyout"]).arg(folder.join("privkey.pem"));
    command.arg("-out").arg(folder.join("fullchain.pem"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
