//! Starts the fixture's server, ends it in each way, and starts it again in the same folder.

use crate::{
    check::{Problem, fail},
    client::Client,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Long enough for a debug build on a busy machine.
const START: Duration = Duration::from_secs(15);

/// How a server is to be started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The fixture's server.
    pub binary: PathBuf,
    /// Its data source.
    pub upstream_url: String,
    /// The token of HTTP revalidation; `None` leaves it off.
    pub token: Option<String>,
    /// Further environment variables.
    pub extra: Vec<(String, String)>,
}

/// A running server and its folder, which both go when this is dropped: in the order of the fields, since a server that
/// still runs writes into a folder that is being removed.
#[derive(Debug)]
pub struct Server {
    running: Running,
    directory: TempDir,
    settings: Settings,
}

#[derive(Debug)]
struct Running {
    child: Child,
    public: Client,
    admin: Client,
}

impl Server {
    /// Starts it in a new folder and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the message ends with what it wrote.
    pub async fn start(settings: Settings) -> Result<Self, Problem> {
        let directory = tempfile::Builder::new().prefix("tropos-cases-").tempdir()?;
        let running = start(&settings, directory.path()).await?;
        Ok(Self { running, directory, settings })
    }

    /// A client of the public listener.
    pub fn http(&self) -> Client {
        self.running.public.clone()
    }

    /// A client of the admin listener.
    pub fn admin(&self) -> Client {
        self.running.admin.clone()
    }

    /// The process, unless it has ended.
    pub fn id(&self) -> Option<u32> {
        self.running.child.id()
    }

    /// Ends it as a power cut does.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(&mut self) -> Result<(), Problem> {
        Ok(self.running.child.kill().await?)
    }

    /// Asks it to end, as a process manager does, without waiting.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn ask_to_end(&mut self) -> Result<(), Problem> {
        self.signal("TERM").await
    }

    /// Stops it where it is: the system still accepts connections for it, and nothing answers.
    ///
    /// # Errors
    /// When it is not running.
    pub async fn pause(&self) -> Result<(), Problem> {
        self.signal("STOP").await
    }

    /// Lets it go on after [`Server::pause`].
    ///
    /// # Errors
    /// When it is not running.
    pub async fn resume(&self) -> Result<(), Problem> {
        self.signal("CONT").await
    }

    async fn signal(&self, name: &str) -> Result<(), Problem> {
        let Some(id) = self.running.child.id() else {
            return fail("the server has ended by itself");
        };
        // The shell's own `kill`, so that nothing needs to be installed and no unsafe call is made.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await?;
        if sent.success() { Ok(()) } else { fail("the signal could not be sent") }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it has not ended after ten seconds.
    pub async fn ended(&mut self) -> Result<ExitStatus, Problem> {
        match timeout(Duration::from_secs(10), self.running.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => fail(format!("the server has not ended 10 s after SIGTERM\n{}", self.log())),
        }
    }

    /// Starts it again in the same folder, on new ports.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn restart(&mut self) -> Result<(), Problem> {
        self.running = start(&self.settings, self.directory.path()).await?;
        Ok(())
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        tail(self.directory.path())
    }
}

async fn start(settings: &Settings, directory: &Path) -> Result<Running, Problem> {
    let [public, admin] = tropos_parts::free_addresses()?.map(|address| address.to_string());
    let log = File::options().create(true).append(true).open(directory.join("log"))?;
    let binary = settings.binary.canonicalize().map_err(|error| {
        Problem::Failed(format!("{}: {error}; `cargo xtask fixture` builds it", settings.binary.display()))
    })?;
    let mut command = Command::new(binary);
    command
        .current_dir(directory)
        .env("TROPOS_ADDR", &public)
        .env("TROPOS_ADMIN_ADDR", &admin)
        .env("TROPOS_CACHE_DIR", directory.join("cache"))
        .env("DATABASE_URL", format!("sqlite://{}", directory.join("app.db").display()))
        .env("UPSTREAM_URL", &settings.upstream_url)
        .env_remove("TROPOS_REVALIDATE_TOKEN")
        .env_remove("REDIS_URL")
        .env_remove("PORT")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    if let Some(token) = &settings.token {
        command.env("TROPOS_REVALIDATE_TOKEN", token);
    }
    command.envs(settings.extra.iter().map(|(name, value)| (name, value)));
    let running = Running {
        child: command.spawn()?,
        public: Client::new(&format!("http://{public}"))?,
        admin: Client::new(&format!("http://{admin}"))?,
    };
    ready(running, directory).await
}

async fn ready(mut running: Running, directory: &Path) -> Result<Running, Problem> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if let Some(status) = running.child.try_wait()? {
            return fail(format!("the server ended at start with {status}\n{}", tail(directory)));
        }
        if running.admin.get("/readyz").await.is_ok_and(|page| page.status == 200) {
            return Ok(running);
        }
        sleep(Duration::from_millis(20)).await;
    }
    fail(format!("/readyz of the admin listener did not answer 200 in {START:?}\n{}", tail(directory)))
}

fn tail(directory: &Path) -> String {
    let log = fs::read(directory.join("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default();
    format!("the server's last lines:\n  {}", last.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(binary: &str) -> Settings {
        Settings { binary: binary.into(), upstream_url: String::new(), token: None, extra: Vec::new() }
    }

    #[tokio::test]
    async fn a_server_that_ends_at_start_is_told_at_once() {
        let problem = Server::start(settings("/bin/false")).await.unwrap_err().to_string();
        assert!(problem.contains("ended at start"), "{problem}");
    }

    #[tokio::test]
    async fn a_missing_binary_is_told_with_the_command_that_builds_it() {
        let problem = Server::start(settings("/nowhere/fixture")).await.unwrap_err().to_string();
        assert!(problem.contains("cargo xtask fixture"), "{problem}");
    }
}
