//! `cargo tropos dev`: builds, serves, watches, and shows what changed.
//!
//! | module | holds |
//! |---|---|
//! | `session` | what happens when: the one loop |
//! | `plan` | which change does what, without I/O; `inputs`, `contents` say what it decides by |
//! | `job` | one round of building and starting; `compile`, `bundle`, `process` are its steps |
//! | `flags` | the compiler's flag of development |
//! | `group` | processes that end together with what they started |
//! | `watch`, `layout` | which files changed, and where files are |
//! | `proxy` | the public listener, in front of the application |
//! | `event`, `hub` | what open pages are told |
//! | `diagnostic`, `runtime` | what is wrong, from the compiler and from the running application |
//! | `views`, `scripts` | what `tropos-dev` does: patches of views, the browser's scripts |
//! | `console`, `editor`, `keys` | the browser's console, the editor, the terminal's keys |
//! | `settings` | what is taken from the application's configuration |

mod bundle;
mod compile;
mod console;
mod contents;
mod diagnostic;
mod editor;
mod event;
mod flags;
mod group;
mod hub;
mod inputs;
mod job;
mod keys;
mod layout;
mod plan;
mod process;
mod proxy;
mod runtime;
mod scripts;
mod session;
mod settings;
mod views;
mod watch;

use crate::{
    Error, args,
    build::{islands, target},
    project::Project,
    terminal::{self, Terminal},
};
use proxy::{Face, Proxy};
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// How many ports are tried, from the configured one on.
const PORTS: u16 = 50;

/// An application that is older than this was not made just now.
const JUST_MADE: Duration = Duration::from_secs(3_600);

/// Serves until it is told to end.
///
/// # Errors
/// Where there is no application, or no port is free.
pub(crate) fn run(options: &args::Dev, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    islands::check_version(project.wasm_bindgen.as_deref())?;
    let hydrates = project.hydrates && !options.no_islands;
    let wasm = hydrates.then(|| target::ensure(terminal)).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Run { command: "the dev server".into(), source })?;
    let result = runtime.block_on(serve(options, project, wasm, terminal));
    // A wasm-bindgen that is at work is not waited for.
    runtime.shutdown_background();
    result
}

async fn serve(
    options: &args::Dev,
    project: Project,
    wasm: Option<target::Target>,
    terminal: &Terminal,
) -> Result<ExitCode, Error> {
    let layout = layout::Layout::find(&project)?;
    let reached = settings::read(options, &project.directory)?;
    let (listener, beside, addr) = bind(reached.addr).await?;
    let origin = format!("http://{}", shown(addr));
    terminal.note_plain("dev", &format!("{} at {origin}", project.name));
    if addr.port() != reached.addr.port() && reached.addr.port() != 0 {
        terminal.note(format_args!("port {} is taken", reached.addr.port()));
    }
    let mut opens = layout.packages.clone();
    opens.insert(0, layout.workspace.clone());
    let opens = opens.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let proxy = Arc::new(Proxy::new(reached.hosts, opens, options.console));
    for listener in [Some(listener), beside].into_iter().flatten() {
        tokio::spawn(proxy::serve(proxy.clone(), listener, Face::Public));
    }
    listen_for_admin(&proxy, reached.admin, terminal).await;
    let folder = compile::folder(&project).join(&project.name);
    if wasm.is_none() {
        bundle::none(&folder)?;
    }
    let settings = process::Settings {
        directory: project.directory.clone(),
        folder,
        origin: (!reached.has_origin).then(|| origin.clone()),
        color: terminal.color,
    };
    let (ended, ends) = tokio::sync::mpsc::channel(8);
    let made = since_made(&project);
    let workshop = job::Workshop {
        project,
        wasm,
        settings,
        program: std::sync::Mutex::default(),
        proxy,
        warned: compile::Warned::default(),
        counted: compile::Counted::default(),
        color: terminal.color,
        ended,
    };
    let session = session::Session::new(workshop, layout, ends, origin, options.open, made)?;
    session.run(told_to_end()?).await;
    Ok(ExitCode::SUCCESS)
}

/// Where `advise`, `explain` and a scraper of metrics look for the admin listener. Developing goes on without it.
async fn listen_for_admin(proxy: &Arc<Proxy>, wanted: SocketAddr, terminal: &Terminal) {
    match bind(wanted).await {
        Ok((listener, beside, addr)) => {
            if addr.port() != wanted.port() && wanted.port() != 0 {
                terminal.note(format_args!(
                    "port {} is taken: the admin listener is http://{addr} (`cargo tropos advise --url {addr}`)",
                    wanted.port()
                ));
            }
            // It is set once, here.
            let _ = proxy.admin.set(addr);
            for listener in [Some(listener), beside].into_iter().flatten() {
                tokio::spawn(proxy::serve(proxy.clone(), listener, Face::Admin));
            }
        }
        Err(error) => terminal.note(format_args!("there is no admin listener: {error}")),
    }
}

/// The first free port from the configured one on, with the listener of `localhost`'s other address where there is one.
async fn bind(addr: SocketAddr) -> Result<(TcpListener, Option<TcpListener>, SocketAddr), Error> {
    let mut last = None;
    // Port 0 is any free one, which may not be free at the other address.
    let ports =
        (0..PORTS).map_while(|more| if addr.port() == 0 { Some(0) } else { addr.port().checked_add(more) });
    for port in ports {
        let wanted = SocketAddr::new(addr.ip(), port);
        match both(wanted).await {
            Ok((listener, beside)) => {
                let addr = listener.local_addr().unwrap_or(wanted);
                return Ok((listener, beside, addr));
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    Err(Error::Project(format!(
        "no port from {} to {} can be listened at ({why}); name another by --port",
        addr.port(),
        addr.port().saturating_add(PORTS - 1)
    )))
}

/// `localhost` is both loopback addresses, and browsers try the newer one first: where another program has it, they would
/// show that one's pages.
async fn both(addr: SocketAddr) -> std::io::Result<(TcpListener, Option<TcpListener>)> {
    let listener = TcpListener::bind(addr).await?;
    let is_localhost = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified());
    if !is_localhost {
        return Ok((listener, None));
    }
    match TcpListener::bind((Ipv6Addr::LOCALHOST, listener.local_addr()?.port())).await {
        Ok(beside) => Ok((listener, Some(beside))),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(error),
        // A machine without IPv6.
        Err(_) => Ok((listener, None)),
    }
}

fn shown(addr: SocketAddr) -> String {
    if addr.ip().is_loopback() || addr.ip().is_unspecified() {
        format!("localhost:{}", addr.port())
    } else {
        addr.to_string()
    }
}

/// For how long the application has been there, where it was made just now and never built.
fn since_made(project: &Project) -> Option<Duration> {
    if compile::folder(project).exists() {
        return None;
    }
    let age = std::fs::metadata(&project.manifest).ok()?.modified().ok()?.elapsed().ok()?;
    (age < JUST_MADE).then_some(age)
}

/// ctrl-c, SIGTERM, and the terminal being closed.
fn told_to_end() -> Result<impl Future<Output = ()>, Error> {
    let listen =
        |kind| signal(kind).map_err(|source| Error::Run { command: "the dev server".into(), source });
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        terminal::progress(None);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_free_port_is_taken() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (first, _, first_addr) = bind(taken).await.unwrap();
        let (_second, _, second_addr) = bind(first_addr).await.unwrap();
        assert!(second_addr.port() > first_addr.port());
        drop(first);
    }

    #[tokio::test]
    async fn a_port_that_another_program_has_at_the_newer_address_of_localhost_is_taken() {
        let Ok(other) = TcpListener::bind("[::1]:0").await else { return };
        let port = other.local_addr().unwrap().port();
        for ip in ["127.0.0.1", "0.0.0.0"] {
            let (_listener, beside, addr) = bind(SocketAddr::new(ip.parse().unwrap(), port)).await.unwrap();
            assert!(addr.port() > port, "{addr}");
            assert_eq!(beside.unwrap().local_addr().unwrap().port(), addr.port());
        }
    }

    #[test]
    fn an_address_is_shown_as_a_browser_takes_it() {
        assert_eq!(shown(SocketAddr::from(([127, 0, 0, 1], 3000))), "localhost:3000");
        assert_eq!(shown(SocketAddr::from(([0, 0, 0, 0], 3000))), "localhost:3000");
        assert_eq!(shown(SocketAddr::from(([192, 168, 0, 2], 3000))), "192.168.0.2:3000");
    }
}
