//! nginx at its best: its configuration, start and end.

use std::{
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::sleep,
};
use tropos_cases::{
    check::{Problem, fail},
    client::Client,
};

/// Looked for in this order; Debian keeps it out of the path of ordinary users.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// A running nginx and its folder, which both go when this is dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    address: String,
}

impl Nginx {
    /// Starts one worker over an empty folder, on a free port.
    ///
    /// # Errors
    /// Where nginx is missing or does not start.
    pub(crate) async fn start() -> Result<Self, Problem> {
        let folder = tempfile::Builder::new().prefix("tropos-bench-nginx-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let root = folder.path().join("root");
        fs::create_dir(&root)?;
        readable(folder.path())?;
        let configuration = folder.path().join("nginx.conf");
        fs::write(&configuration, configure(folder.path(), &address))?;
        let mut child = spawn(folder.path(), &configuration)?;
        let client = Client::new(&format!("http://{address}"))?;
        for _ in 0..100 {
            if client.get("/").await.is_ok() {
                return Ok(Self { child, folder, address });
            }
            if let Some(status) = child.try_wait()? {
                let said = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
                return fail(format!("nginx ended at start with {status}\n{said}"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        fail("nginx did not answer in two seconds")
    }

    /// Serves these bytes under this name, and gives their address.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn serve(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        let path = self.folder.path().join("root").join(name);
        fs::write(&path, bytes)?;
        Ok(format!("http://{}/{name}", self.address))
    }

    /// The process that answers: the one worker, not its master.
    pub(crate) fn worker(&self) -> Option<u32> {
        let master = self.child.id()?;
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Ends it, master and worker.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        if let Some(id) = self.child.id() {
            // A master that is killed would leave its worker behind.
            Command::new("sh").args(["-c", &format!("kill -QUIT {id}")]).status().await?;
        }
        self.child.wait().await.map(drop)
    }
}

fn spawn(folder: &Path, configuration: &Path) -> Result<Child, Problem> {
    let mut last = None;
    for program in PROGRAMS {
        let started = Command::new(program)
            .arg("-p")
            .arg(folder)
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-c")
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(child) => return Ok(child),
            Err(error) => last = Some(error),
        }
    }
    fail(format!("nginx could not be run: {last:?}; install the package `nginx-light`"))
}

/// A worker that root starts runs as another user, who must be able to read.
#[cfg(unix)]
fn readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn readable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// One worker, no access log, files kept open, no limit on the requests of a connection: nothing that slows it down.
fn configure(folder: &Path, address: &str) -> String {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    format!(
        "daemon off;
worker_processes 1;
pid {pid};
error_log {log};
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=60s;
  open_file_cache_valid 60s;
  open_file_cache_min_uses 1;
  types {{ text/html html; text/javascript js; application/wasm wasm; }}
  default_type text/html;
  client_body_temp_path {body};
  proxy_temp_path {body};
  fastcgi_temp_path {body};
  uwsgi_temp_path {body};
  scgi_temp_path {body};
  server {{ listen {address}; root {root}; }}
}}
",
        pid = path("nginx.pid").display(),
        log = path("error.log").display(),
        body = path("body").display(),
        root = path("root").display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_has_one_worker_and_writes_no_log_of_requests() {
        let text = configure(Path::new("/x"), "127.0.0.1:9");
        for line in [
            "worker_processes 1;",
            "access_log off;",
            "open_file_cache max",
            "listen 127.0.0.1:9; root /x/root;",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
