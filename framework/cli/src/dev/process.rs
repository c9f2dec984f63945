//! A process of the application: started, waited for, watched, told to end.

use super::{
    event::{Problem, Source},
    group::Group,
    proxy::Application,
};
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
    sync::{mpsc, oneshot},
};

/// A process that was told to end and did not is killed after so long.
const GRACE: Duration = Duration::from_secs(2);

/// A process must be ready within so long: migrations and seeding of a development database are part of it.
const READY: Duration = Duration::from_secs(120);

/// Lines of standard error that are kept, to say why a process ended.
const LAST_LINES: usize = 60;

/// A longer line is printed in pieces: what has no end must not fill the memory.
const LONGEST_LINE: u64 = 64 << 10;

/// Another program may take a port between its being found free and its being used.
const ATTEMPTS: usize = 3;

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) directory: PathBuf,
    /// The folder that `TROPOS_DEV` names.
    pub(crate) folder: PathBuf,
    /// The address by which browsers reach the application.
    pub(crate) origin: Option<String>,
    /// Whether its log may have colours.
    pub(crate) color: bool,
}

/// A process that answers. Dropped, it is told to end.
pub(crate) struct Process {
    pub(crate) application: Arc<Application>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<()>>,
}

/// A process ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) version: u64,
    pub(crate) problem: Problem,
}

/// Starts a process and waits until it is ready.
///
/// # Errors
/// Why it ended instead, for the overlay.
pub(crate) async fn start(
    program: &Path,
    settings: &Settings,
    version: u64,
    ended: mpsc::Sender<Ended>,
) -> Result<Process, Problem> {
    let mut attempt = 1;
    loop {
        match start_once(program, settings, version, ended.clone()).await {
            Err(problem) if attempt < ATTEMPTS && problem.text.contains("Address already in use") => {
                attempt += 1
            }
            result => return result,
        }
    }
}

async fn start_once(
    program: &Path,
    settings: &Settings,
    version: u64,
    ended: mpsc::Sender<Ended>,
) -> Result<Process, Problem> {
    let failed = |text: String| why(&text, "The application could not be started");
    let (public, admin) = free_ports().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .current_dir(&settings.directory)
        .env("TROPOS_DEV", &settings.folder)
        .env("TROPOS_ADDR", public.to_string())
        .env("TROPOS_ADMIN_ADDR", admin.to_string())
        // Open as long as the dev server lives, however it ends: the application watches it.
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(origin) = &settings.origin {
        command.env("TROPOS_ORIGIN", origin);
    }
    if !settings.color {
        command.env("NO_COLOR", "1");
    }
    let mut group = Group::spawn(command).map_err(|error| failed(error.to_string()))?;
    let stdin = group.child().stdin.take();
    let lines = tokio::spawn(tee(group.child().stderr.take()));
    let ready = tokio::select! {
        ready = tokio::time::timeout(READY, ready(admin)) => ready.is_ok(),
        status = group.wait() => {
            let text = lines.await.unwrap_or_default();
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(why(&text, &format!("The application ended before it was ready ({status})")));
        }
    };
    if !ready {
        return Err(failed(format!("It was not ready within {} seconds.", READY.as_secs())));
    }
    let application = Application::new(version, public, admin);
    let (stop, stopped) = oneshot::channel();
    let (done, is_done) = oneshot::channel();
    tokio::spawn(async move {
        let _stdin = stdin;
        tokio::select! {
            status = group.wait() => {
                let text = lines.await.unwrap_or_default();
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let problem = why(&text, &format!("The application ended by itself ({status})"));
                let _ = ended.send(Ended { version, problem }).await;
            }
            _ = stopped => {
                group.terminate();
                if tokio::time::timeout(GRACE, group.wait()).await.is_err() {
                    group.kill();
                    let _ = group.wait().await;
                }
            }
        }
        let _ = done.send(());
    });
    Ok(Process { application, stop: Some(stop), ended: Some(is_done) })
}

impl Process {
    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(ended) = self.ended.take() {
            let _ = ended.await;
        }
    }
}

/// Hands what the process prints on to the terminal, and keeps the end of it.
async fn tee(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(from) = from else { return String::new() };
    let mut last = VecDeque::new();
    let (mut from, mut bytes) = (BufReader::new(from), Vec::new());
    while (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut bytes).await.is_ok_and(|length| length > 0) {
        let line = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned();
        bytes.clear();
        crate::terminal::say(&line);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    Vec::from(last).join("\n")
}

/// What is wrong, from what the process printed last.
fn why(text: &str, otherwise: &str) -> Problem {
    let message = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
    let in_configuration = message.is_some_and(|message| {
        message.contains("tropos.toml")
            || message.starts_with("TROPOS_")
            || message.starts_with("DATABASE_URL")
    });
    // One line says it all; the last of many, such as that of a backtrace, says nothing.
    let only = text.lines().next().filter(|line| !line.trim().is_empty() && text.lines().count() == 1);
    Problem {
        source: if in_configuration { Source::Config } else { Source::Start },
        title: message.or(only).unwrap_or(otherwise).to_owned(),
        text: if text.is_empty() { otherwise.to_owned() } else { text.to_owned() },
        file: message.filter(|message| message.contains("tropos.toml")).map(|_| "tropos.toml".to_owned()),
        line: message.and_then(line_of),
        column: None,
        path: None,
    }
}

/// `… at line 3, column 7` of a TOML error.
fn line_of(message: &str) -> Option<usize> {
    let (_, rest) = message.split_once("at line ")?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// Two ports of this machine that nobody listens at.
fn free_ports() -> std::io::Result<(SocketAddr, SocketAddr)> {
    // Both at once, so that they are two.
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (public, admin) = (free()?, free()?);
    Ok((public.local_addr()?, admin.local_addr()?))
}

/// Comes back once the admin listener says that the application is ready. The listener exists before that and answers
/// after it, so that one question waits for as long as it takes.
async fn ready(admin: SocketAddr) {
    loop {
        if ask(admin).await.is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ask(admin: SocketAddr) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(admin).await.ok()?;
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_program_said_last() {
        for (text, source, title, file, line) in [
            (
                "INFO a\nerror: tropos.toml: unknown key `adr`; did you mean `addr`?",
                Source::Config,
                "tropos.toml: unknown key `adr`; did you mean `addr`?",
                Some("tropos.toml"),
                None,
            ),
            (
                "error: tropos.toml: TOML parse error at line 3, column 7\n  |\n3 | x",
                Source::Config,
                "tropos.toml: TOML parse error at line 3, column 7",
                Some("tropos.toml"),
                Some(3),
            ),
            (
                "error: TROPOS_ADDR: `x` is not an address",
                Source::Config,
                "TROPOS_ADDR: `x` is not an address",
                None,
                None,
            ),
            ("error: migration 2 failed: syntax", Source::Start, "migration 2 failed: syntax", None, None),
            ("a\nb", Source::Start, "It ended", None, None),
            ("", Source::Start, "It ended", None, None),
        ] {
            let problem = why(text, "It ended");
            assert_eq!((problem.source, problem.title.as_str()), (source, title), "{text}");
            assert_eq!((problem.file.as_deref(), problem.line), (file, line), "{text}");
            assert!(!problem.text.is_empty());
        }
    }

    fn settings(script: &str) -> (tempfile::TempDir, PathBuf, Settings) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let directory = folder.path().to_owned();
        let settings =
            Settings { directory: directory.clone(), folder: directory, origin: None, color: false };
        (folder, program, settings)
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_printed_in_pieces() {
        let longest = usize::try_from(LONGEST_LINE).unwrap();
        let mut text = vec![b'x'; longest + 3];
        text.extend_from_slice(b"\n\xff\n");
        let kept = tee(Some(text.as_slice())).await;
        let lengths: Vec<usize> = kept.lines().map(str::len).collect();
        assert_eq!(lengths, [longest, 3, "\u{fffd}".len()]);
    }

    #[tokio::test]
    async fn a_program_that_ends_before_it_is_ready_says_why() {
        let (_folder, program, settings) = settings("echo 'error: DATABASE_URL: nothing there' >&2; exit 3");
        let (ended, _) = mpsc::channel(1);
        let problem = start(&program, &settings, 1, ended).await.map(drop).unwrap_err();
        assert_eq!(problem.source, Source::Config);
        assert_eq!(problem.title, "DATABASE_URL: nothing there");
    }
}
